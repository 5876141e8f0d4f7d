// What a search for units found, as blocks of a report: what every candidate cost at every step, and what went.
import type { ReportBlock } from '../../report/report.ts'
import type { Series } from '../../report/series.ts'
import type { SlebResult } from './result.ts'

/** A chart of all candidates, where anything was searched, and a table of the steps. */
export function slebFigures(result: Pick<SlebResult, 'steps' | 'options'>): ReportBlock[] {
  const { search, metric } = result.options
  const y = search === 'cosine' ? '1 − cos' : metric === 'kl' ? 'KL divergence, nats per token' : 'nats per token'
  const blocks: ReportBlock[] = []
  if (result.steps.length > 0) {
    blocks.push({
      kind: 'line-chart',
      title: 'What leaving out each candidate costs',
      x: 'block',
      y,
      series: seriesOf(result),
      note: 'One colour for each step. A candidate that was given up early shows its mean so far.',
    })
  }
  blocks.push({
    kind: 'table',
    columns: ['step', 'removed', 'put back', `${metric === 'kl' ? 'KL' : 'loss'} after it`],
    rows: result.steps.map(({ removed, returned, loss }, i) => [
      i + 1,
      removed.map(({ name }) => name).join(', '),
      returned.map(({ name }) => name).join(', '),
      loss,
    ]),
  })
  return blocks
}

/** The candidates of each step, of which what was removed bears its name; attention and MLP apart are two series. */
function seriesOf({ steps }: Pick<SlebResult, 'steps'>): Series[] {
  return steps.flatMap(({ candidates, removed }, i) =>
    [...new Set(candidates.map(({ unit }) => unit.name.split(' ')[0]!))].map((kind): Series => {
      const own = candidates.filter(({ unit }) => unit.name.startsWith(`${kind} `))
      return {
        name: kind === 'block' ? `step ${i + 1}` : `step ${i + 1}, ${kind}`,
        // Blocks are things, not amounts: nothing lies between two of them.
        style: 'dots',
        points: own.map(({ unit, score }) => [unit.block, score]),
        labels: own.map(
          ({ unit, share }) => `${unit.name}${share < 1 ? `, ${(100 * share).toFixed(0)} % of the text` : ''}`,
        ),
        names: own.map(({ unit }) => (removed.some(({ name }) => name === unit.name) ? `− ${unit.name}` : '')),
      }
    }),
  )
}
