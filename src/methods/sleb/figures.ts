// What a search for units found, as blocks of a report: what every candidate cost at every step, and what went.
import type { ReportBlock } from '../../report/report.ts'
import type { Series } from '../../report/series.ts'
import type { SlebResult } from './result.ts'

/** A chart has no more colours than this. */
const MOST_SERIES = 6

/** A chart of the candidates, where anything was searched, and a table of the steps. */
export function slebFigures(result: Pick<SlebResult, 'steps' | 'options'>): ReportBlock[] {
  const { search, metric } = result.options
  const y = search === 'cosine' ? '1 − cos' : metric === 'kl' ? 'KL divergence, nats per token' : 'loss, nats per token'
  const blocks: ReportBlock[] = []
  const returned = result.steps.some((step) => step.returned.length > 0)
  if (result.steps.length > 0) {
    const { series, isPart } = seriesOf(result)
    blocks.push({
      kind: 'line-chart',
      title: 'What leaving out each candidate costs',
      x: 'block',
      y,
      series,
      note: `${isPart ? 'Some of the steps, the first and the last among them; the table has them all. ' : ''}What a step removed bears its name. A candidate that was given up early shows its mean so far.`,
    })
  }
  blocks.push({
    kind: 'table',
    columns: [
      'step',
      'removed',
      ...(returned ? ['put back'] : []),
      `${metric === 'kl' ? 'KL' : 'loss'} after it (nats per token)`,
    ],
    rows: result.steps.map((step, i) => [
      i + 1,
      namesOf(step.removed),
      ...(returned ? [namesOf(step.returned)] : []),
      step.loss,
    ]),
  })
  return blocks
}

function namesOf(units: readonly { name: string }[]): string {
  return units.map(({ name }) => name).join(', ')
}

/**
 * The candidates of each step, of which what was removed bears its name; attention and MLP apart are two series. A long search is
 * drawn in part: steps of one colour could not be told apart.
 */
function seriesOf({ steps }: Pick<SlebResult, 'steps'>): { series: Series[]; isPart: boolean } {
  const kindOf = (name: string): string => name.split(' ')[0]!
  const kinds = [...new Set(steps.flatMap(({ candidates }) => candidates.map(({ unit }) => kindOf(unit.name))))]
  const searched = steps.flatMap((step, i) => (step.candidates.length > 0 ? [{ ...step, number: i + 1 }] : []))
  const count = Math.min(searched.length, Math.floor(MOST_SERIES / kinds.length))
  const stride = (searched.length - 1) / Math.max(1, count - 1)
  const drawn = Array.from({ length: count }, (_, i) => Math.round(i * stride))
  const series = drawn.flatMap((index) =>
    kinds.map((kind): Series => {
      const { candidates, removed, number } = searched[index]!
      const own = candidates.filter(({ unit }) => kindOf(unit.name) === kind)
      return {
        name: kind === 'block' ? `step ${number}` : `step ${number}, ${kind}`,
        // Blocks are things, not amounts: nothing lies between two of them.
        style: 'dots',
        points: own.map(({ unit, score }) => [unit.block, score]),
        labels: own.map(
          ({ unit, share }) => `${unit.name}${share < 1 ? `, ${(100 * share).toFixed(0)} % of the text` : ''}`,
        ),
        names: own.map(({ unit }) => (removed.some(({ name }) => name === unit.name) ? unit.name : '')),
      }
    }),
  )
  return { series: series.filter(({ points }) => points.length > 0), isPart: count < searched.length }
}
