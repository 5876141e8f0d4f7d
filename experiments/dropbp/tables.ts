// The results as Markdown: what goes into the card.
import { markdownTable, statistics } from '../setting/statistics.ts'
import type { Costs } from './cost.ts'
import type { Cosine, Outcome, Tuning } from './quality.ts'

export interface Results {
  machine: string
  settings: Record<string, unknown>
  before?: { tune: number; pretrain: number }
  costs: Partial<Record<Tuning, Costs>>
  outcomes: Outcome[]
  cosines: Cosine[]
}

export function writeTables({ machine, settings, before, costs, outcomes, cosines }: Results): string {
  const parts = [`Machine: ${machine}. Settings: ${JSON.stringify(settings)}.`]
  for (const [tuning, cost] of Object.entries(costs)) parts.push(costTable(tuning, cost))
  if (before !== undefined) {
    parts.push(
      `Held-out loss before tuning: ${before.tune.toFixed(4)} (and ${before.pretrain.toFixed(4)} on the text of pre-training).`,
    )
    for (const tuning of ['lora', 'full'] as const)
      parts.push(
        qualityTable(
          tuning,
          outcomes.filter((one) => one.tuning === tuning),
          before.tune,
        ),
      )
  }
  if (cosines.length > 0) parts.push(cosineTable(cosines))
  return `${parts.join('\n\n')}\n`
}

/** Nothing for one seed. */
const spread = (value: number): string => (Number.isNaN(value) ? '' : ` ± ${value.toFixed(4)}`)
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

function costTable(tuning: string, { forwardMs, backwardMs, beta, rows }: Costs): string {
  const longest = rows[0]!.longest
  return markdownTable(
    `Cost, ${tuning}: forward ${forwardMs.toFixed(1)} ms, backward ${backwardMs.toFixed(1)} ms, β = ${beta.toFixed(2)}`,
    ['P', 'step (ms)', 'time saved', 'predicted', 'P·β/(1+β)', 'peak (MiB)', 'longest sequence', 'times longer'],
    rows.map((row) => [
      row.rate,
      row.stepMs.toFixed(1),
      percent(row.saved),
      percent(row.predicted),
      percent(row.ideal),
      (row.peakBytes / 2 ** 20).toFixed(1),
      row.longest || '–',
      longest === 0 ? '–' : (row.longest / longest).toFixed(2),
    ]),
  )
}

/** `kept`: progress from the loss before tuning, as a share of plain training's; the difference to plain is paired by seed. */
function qualityTable(tuning: string, outcomes: Outcome[], before: number): string {
  const names = [...new Set(outcomes.map((one) => `${one.rate}\t${one.arm}`))]
  const plain = new Map(outcomes.filter((one) => one.arm === 'plain').map((one) => [one.seed, one.loss]))
  const rows = names.map((name) => {
    const [rate = '', arm = ''] = name.split('\t')
    const group = outcomes.filter((one) => one.arm === arm && String(one.rate) === rate)
    const loss = statistics(group.map((one) => one.loss))
    const difference = statistics(group.map((one) => one.loss - plain.get(one.seed)!))
    const reference = statistics(group.map((one) => plain.get(one.seed)!)).mean
    return [
      rate,
      arm,
      group[0]!.steps,
      percent(statistics(group.map((one) => one.dropped)).mean),
      `${loss.mean.toFixed(4)}${spread(loss.deviation)}`,
      `${difference.mean.toFixed(4)}${spread(difference.halfWidth)}`,
      percent((before - loss.mean) / (before - reference)),
    ]
  })
  const seeds = new Set(outcomes.map((one) => one.seed)).size
  return markdownTable(
    `Held-out loss, ${tuning}, ${seeds} seeds (± standard deviation; difference to plain, same seeds, ± 95 % interval)`,
    ['P', 'arm', 'steps', 'FLOPs dropped', 'loss', 'difference', 'progress kept'],
    rows,
  )
}

function cosineTable(cosines: Cosine[]): string {
  return markdownTable(
    'Cosine with the whole gradient: one mask (kept parameters), and the mean over masks (all parameters)',
    ['tuning', 'P', 'γ', 'one mask', 'mean over masks'],
    cosines.map((row) => [row.tuning, row.rate, row.scaling, row.single.toFixed(3), row.averaged.toFixed(3)]),
  )
}
