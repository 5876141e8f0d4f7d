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
      y: 'loss, nats per token',
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
    const [, short] = slebFigures({ steps: steps.slice(0, 1), options })
    expect(short).toMatchObject({
      columns: ['step', 'removed', 'loss after it (nats per token)'],
      rows: [[1, 'block 2', 2.25]],
    })
  })

  it('draws a long search in part, so that no colour stands for two steps, and says so', () => {
    const step = (block: number, kinds: readonly ('block' | 'mlp')[]) => ({
      removed: [unit(kinds[0]!, block)],
      returned: [],
      loss: 2,
      metric: 'ce' as const,
      candidates: kinds.map((kind) => ({ unit: unit(kind, block), score: 2, share: 1 })),
    })
    const drawn = (count: number, ...kinds: ('block' | 'mlp')[]) => {
      const [chart] = slebFigures({ steps: Array.from({ length: count }, (_, i) => step(i, kinds)), options })
      if (chart?.kind !== 'line-chart') throw new Error('no chart')
      return { names: chart.series.map(({ name }) => name), isPart: chart.note!.startsWith('Some of the steps') }
    }
    const stepsOf = (...numbers: number[]): string[] => numbers.map((number) => `step ${number}`)
    expect(drawn(6, 'block')).toEqual({ names: stepsOf(1, 2, 3, 4, 5, 6), isPart: false })
    expect(drawn(11, 'block')).toEqual({ names: stepsOf(1, 3, 5, 7, 9, 11), isPart: true })
    // Two kinds take two colours a step.
    expect(drawn(5, 'block', 'mlp').names).toEqual(
      [1, 3, 5].flatMap((number) => [`step ${number}`, `step ${number}, mlp`]),
    )
  })
})
