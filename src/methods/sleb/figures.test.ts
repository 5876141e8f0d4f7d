import { describe, expect, it } from 'vitest'
import { slebFigures } from './figures.ts'
import type { SlebResult } from './result.ts'

const unit = (kind: 'block' | 'mlp', block: number) => ({ name: `${kind} ${block}`, block, kinds: ['mlp'] as const })
const options = { metric: 'ce', search: 'greedy' } as SlebResult['options']

describe('slebFigures', () => {
  it('draws a line for each step and kind, and lists what went and came back', () => {
    const candidates = [
      { unit: unit('block', 1), score: 2.5, share: 1 },
      { unit: unit('block', 2), score: 2.25, share: 0.5 },
    ]
    const steps = [
      { removed: [unit('block', 2)], returned: [], loss: 2.25, metric: 'ce' as const, candidates },
      { removed: [unit('mlp', 1)], returned: [unit('block', 2)], loss: 2, metric: 'ce' as const, candidates: [] },
    ]
    const [chart, table] = slebFigures({ steps, options })
    expect(chart).toMatchObject({
      kind: 'line-chart',
      y: 'nats per token',
      series: [
        {
          name: 'step 1',
          points: [
            [1, 2.5],
            [2, 2.25],
          ],
          labels: ['block 1', 'block 2, 50 % of the text'],
        },
      ],
    })
    expect(table).toMatchObject({
      rows: [
        [1, 'block 2', '', 2.25],
        [2, 'mlp 1', 'block 2', 2],
      ],
    })
    expect(slebFigures({ steps: [], options })).toHaveLength(1)
  })
})
