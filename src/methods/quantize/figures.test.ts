import { describe, expect, it } from 'vitest'
import { type FormatsSummary, formatFigures } from './figures.ts'

const unit = (name: string, format: string) => ({
  unit: name,
  format,
  bytes: 10,
  bytes_16_bit: 40,
  losses: { nf2: 0.5, nf4: 0.1 },
})
const summary: FormatsSummary = {
  allocate: 'bo',
  bits: 3.5,
  bytes: 20,
  bytes_16_bit: 80,
  units: [unit('layer 0', 'nf2'), unit('layer 1', 'nf4')],
  trials: [
    { formats: ['nf4', 'nf4'], bits: 4.5, loss: 0.2, on_front: false },
    { formats: ['nf2', 'nf4'], bits: 3.5, loss: 0.1, on_front: true },
  ],
  ended: 'converged',
}

describe('formatFigures', () => {
  it('draws what was measured from the smallest on, marks the front and the choice, and lists what formats cost', () => {
    const [why, chart, table] = formatFigures(summary, 'kl')
    expect(why).toEqual({
      kind: 'prose',
      text: 'The search measured 2 assignments: no other one is expected to be better.',
    })
    expect(chart).toMatchObject({
      y: 'KL from the dense model, nats per token',
      logY: true,
      series: [
        {
          name: 'measured',
          points: [
            [3.5, 0.1],
            [4.5, 0.2],
          ],
          labels: ['3.50 bits: nf2, nf4', '4.50 bits: nf4 ×2'],
        },
        { name: 'Pareto front', points: [[3.5, 0.1]] },
        { name: 'chosen', points: [[3.5, 0.1]] },
      ],
    })
    expect(table).toMatchObject({
      caption: 'What each format costs alone: KL from the dense model, nats per token',
      columns: ['', 'format', 'size', 'nf2', 'nf4'],
      rows: [
        ['layer 0', 'nf2', '10 B', 0.5, 0.1],
        ['layer 1', 'nf4', '10 B', 0.5, 0.1],
      ],
    })
    expect(formatFigures({ ...summary, trials: summary.trials.slice(0, 1) }, 'ce')).toHaveLength(2)
  })

  it('has no columns of costs where nothing was measured', () => {
    const units = summary.units.map((each) => ({ ...each, losses: null }))
    const [table] = formatFigures({ ...summary, units, trials: [], ended: null }, 'kl')
    expect(table).toEqual({
      kind: 'table',
      columns: ['', 'format', 'size'],
      rows: [
        ['layer 0', 'nf2', '10 B'],
        ['layer 1', 'nf4', '10 B'],
      ],
    })
  })
})
