import { describe, expect, it } from 'vitest'
import { renderReport } from '../../report/report.ts'
import { dropBpFigures } from './figures.ts'

const branches = (['attention', 'mlp'] as const).map((kind) => ({
  path: `model.layers.0.${kind}`,
  block: 0,
  kind,
  flops: 1,
}))
const rates = Float64Array.from([0.25, 0.75])

describe('dropBpFigures', () => {
  it('draws sensitivities relative to the largest, then rates', () => {
    const figures = dropBpFigures({ branches, rates, sensitivities: Float64Array.from([8, 2]) })
    expect(figures.map((figure) => figure.kind === 'bar-chart' && figure.bars)).toEqual([
      [
        { label: 'attention 0', value: 1 },
        { label: 'MLP 0', value: 0.25 },
      ],
      [
        { label: 'attention 0', value: 0.25 },
        { label: 'MLP 0', value: 0.75 },
      ],
    ])
    expect(renderReport({ title: 'Run', sections: [{ title: 'DropBP', blocks: figures }] })).toContain(
      'Drop rate of each branch',
    )
  })

  it('draws rates alone before anything was measured', () => {
    expect(dropBpFigures({ branches, rates, sensitivities: null }).length).toBe(1)
    const flat = dropBpFigures({ branches, rates, sensitivities: new Float64Array(2) })
    expect(flat[0]!.kind === 'bar-chart' && flat[0]!.bars.map(({ value }) => value)).toEqual([0, 0])
  })
})
