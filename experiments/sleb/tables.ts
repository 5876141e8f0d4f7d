// The results as Markdown: what goes into the card.
import { markdownTable, statistics } from '../setting/statistics.ts'
import { type Arms, SUBLAYERS } from './arms.ts'
import type { Speed } from './speed.ts'

export interface Results {
  machine: string
  settings: Record<string, unknown>
  arms?: Arms
  speeds: Speed[]
}

export function writeTables({ machine, settings, arms, speeds }: Results): string {
  const parts = [`Machine: ${machine}. Settings: ${JSON.stringify(settings)}.`]
  if (arms !== undefined) parts.push(lossTable(arms), perplexityTable(arms), orderTable(arms), costTable(arms))
  if (speeds.length > 0) parts.push(speedTable(speeds))
  return `${parts.join('\n\n')}\n`
}

const signed = (value: number): string => (Number.isNaN(value) ? '' : ` ± ${value.toFixed(3)}`)
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const armsIn = ({ rows }: Arms): string[] => [...new Set(rows.map(({ arm }) => arm))]
const countsIn = ({ rows }: Arms): number[] => [...new Set(rows.map(({ count }) => count))].sort((a, b) => a - b)

/** Mean over the draws of one seed, for each seed. */
function bySeed(arms: Arms, arm: string, count: number, of: (loss: number, dense: number) => number): number[] {
  return arms.dense.map(({ seed, loss: dense }) => {
    const own = arms.rows.filter((row) => row.arm === arm && row.count === count && row.seed === seed)
    return statistics(own.map(({ loss }) => of(loss, dense))).mean
  })
}

function lossTable(arms: Arms): string {
  const counts = countsIn(arms)
  const share = (count: number): string =>
    percent(arms.rows.find((row) => row.count === count && row.arm !== SUBLAYERS)!.parameters)
  return markdownTable(
    `Rise of the held-out loss in nats, ${arms.dense.length} seeds (± half the 95 % interval of the mean; same seed with and without)`,
    ['arm', ...counts.map((count) => `${count} (${share(count)})`)],
    armsIn(arms).map((arm) => [
      arm,
      ...counts.map((count) => {
        const { mean, halfWidth } = statistics(bySeed(arms, arm, count, (loss, dense) => loss - dense))
        const own = arms.rows.filter((row) => row.arm === arm && row.count === count)
        const parameters = statistics(own.map((row) => row.parameters)).mean
        return `${mean.toFixed(3)}${signed(halfWidth)}${arm === SUBLAYERS ? ` (${percent(parameters)})` : ''}`
      }),
    ]),
  )
}

function perplexityTable(arms: Arms): string {
  const counts = countsIn(arms)
  const dense = statistics(arms.dense.map(({ loss }) => Math.exp(loss)))
  return markdownTable(
    `Held-out perplexity, mean over seeds (whole model ${dense.mean.toFixed(2)}); random also with its best draw`,
    ['arm', ...counts.map(String)],
    armsIn(arms).map((arm) => [
      arm,
      ...counts.map((count) => {
        const { mean } = statistics(bySeed(arms, arm, count, Math.exp))
        if (arm !== 'random') return mean.toFixed(2)
        const own = arms.rows.filter((row) => row.arm === arm && row.count === count)
        return `${mean.toFixed(2)} (best ${Math.exp(Math.min(...own.map(({ loss }) => loss))).toFixed(2)})`
      }),
    ]),
  )
}

function orderTable(arms: Arms): string {
  const most = Math.max(...countsIn(arms))
  const rows = arms.rows.filter((row) => row.count === most && row.arm !== 'random')
  return markdownTable(
    'What went, in order, at the largest count',
    ['arm', 'seed', 'removed', 'parameters'],
    rows.map(({ arm, seed, removed, parameters }) => [arm, seed, removed.join(', '), percent(parameters)]),
  )
}

function costTable(arms: Arms): string {
  const names = [...new Set(arms.costs.map(({ arm }) => arm))]
  return markdownTable(
    'Cost of the search, mean over seeds and counts; batches are of calibration text, a pass of one candidate over one',
    ['arm', 'seconds', 'batches run', 'spared by racing'],
    names.map((name) => {
      const own = arms.costs.filter(({ arm }) => arm === name)
      const total = (key: 'measured' | 'full' | 'seconds'): number => own.reduce((sum, cost) => sum + cost[key], 0)
      const spared = total('full') === 0 ? '' : percent(1 - total('measured') / total('full'))
      return [name, (total('seconds') / own.length).toFixed(2), Math.round(total('measured') / own.length), spared]
    }),
  )
}

function speedTable(speeds: Speed[]): string {
  const [dense] = speeds
  return markdownTable(
    'Speed and size',
    [
      'blocks removed',
      'blocks',
      'parameters (M)',
      'weights (MiB)',
      'decode (tokens/s)',
      'gain',
      'prompt (tokens/s)',
      'gain',
    ],
    speeds.map((one) => [
      one.count,
      one.blocks,
      (one.parameters / 1e6).toFixed(2),
      (one.bytes / 2 ** 20).toFixed(1),
      one.decode.toFixed(0),
      `${(one.decode / dense!.decode).toFixed(2)}×`,
      one.prompt.toFixed(0),
      `${(one.prompt / dense!.prompt).toFixed(2)}×`,
    ]),
  )
}
