// The rows of a training log as charts. What the rows hold decides what is drawn: a metric that nobody has named here gets a plain
// chart of its own, and one that no row has gets none.

import type { LogRow } from '../../checkpoint/run-directory/trainer-state.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { ReportBlock, ReportSection } from '../../report/report.ts'
import { formatNumber } from '../../report/scale.ts'
import { type Point, type Series, smoothed } from '../../report/series.ts'
import type { Mark } from '../../report/xy-chart.ts'
import type { Drawn, RuleFigures } from '../../train/rule.ts'

/** A line with more points than this is drawn twice: faint as it is, and smoothed over a fortieth of its length. */
const NOISY = 60
const SMOOTH_LENGTHS = 40
/** Gradient norms further apart than this need a logarithmic axis. */
const WIDE = 30
/** Drawn by name, or not at all. */
const PLAIN = new Set(['step', 'epoch', 'num_tokens', 'loss', 'mean_token_accuracy'])
const STEPPING = new Set(['learning_rate', 'grad_norm', 'tokens_per_second'])
/** Of the whole run or of one evaluation. */
const TOTALS = /^train_|^eval_|^skipped_steps$/

/** A metric by step. A number that JSON cannot hold was saved as null, and is a gap. */
export function pointsOf(rows: readonly LogRow[], name: string): Point[] {
  return rows
    .filter((row) => row[name] !== undefined)
    .map((row) => [Number(row.step), typeof row[name] === 'number' ? row[name] : Number.NaN])
}

/** A metric's last finite value, or undefined. */
export function lastOf(rows: readonly LogRow[], name: string): number | undefined {
  return pointsOf(rows, name).findLast(([, value]) => Number.isFinite(value))?.[1]
}

/** Loss by step, in training and held out, and how often the next token is guessed. */
export function lossSection(rows: readonly LogRow[], config: TrainConfig): ReportSection {
  const unit = { dpo: 'per pair', classify: 'nats per text' }[config.stage as string] ?? 'nats per token'
  const held = pointsOf(rows, 'eval_loss').filter(([, value]) => Number.isFinite(value))
  const [first, ...others] = held
  const best = others.reduce((least, point) => (point[1] < least![1] ? point : least), first)
  const marks =
    best && others.length > 0 ? [{ x: best[0], label: `lowest held-out loss ${formatNumber(best[1])}` }] : []
  const note = tokensPerStep(rows)
  return {
    title: 'Loss',
    blocks: [
      ...chart('Loss', unit, linesOf(rows, 'loss'), { marks, ...note }),
      ...chart(
        config.stage === 'mlm' ? 'Hidden tokens guessed right' : 'Next tokens guessed right',
        'of the supervised tokens',
        linesOf(rows, 'mean_token_accuracy'),
        {
          isShare: true,
        },
      ),
    ],
  }
}

/** How large the updates were, and how fast they came. */
export function stepSection(rows: readonly LogRow[], config: TrainConfig): ReportSection {
  const limit = config.max_grad_norm
  const norms = pointsOf(rows, 'grad_norm').map(([, norm]) => norm)
  const positive = norms.filter((norm) => norm > 0)
  const spread = positive.reduce((a, b) => Math.max(a, b), 0) / positive.reduce((a, b) => Math.min(a, b), 1 / 0)
  const above = norms.filter((norm) => norm > limit).length
  const clipping =
    above === 0
      ? `Before clipping; no logged step lies above max_grad_norm ${formatNumber(limit)}.`
      : `Before clipping. ${above} of ${norms.length} logged steps lie above max_grad_norm ${formatNumber(limit)}, and their updates were scaled down to it.`
  return {
    title: 'Steps',
    blocks: [
      ...chart('Learning rate', `${config.lr_scheduler_type} schedule`, linesOf(rows, 'learning_rate', false)),
      ...chart('Gradient norm', 'norm over all trained parameters', linesOf(rows, 'grad_norm'), {
        logY: spread > WIDE,
        ...(limit > 0 && { note: clipping }),
      }),
      ...chart('Speed', 'tokens per second', linesOf(rows, 'tokens_per_second'), { fromZero: true }),
    ],
  }
}

/** What a method has to show, with the metrics that it logged; undefined where it logged none. */
export function methodSection(rows: readonly LogRow[], drawn: Drawn): ReportSection | undefined {
  const figures = figuresOf(rows, drawn)
  if (figures === undefined) return undefined
  const { lead, charts = [], blocks = [] } = figures
  return {
    title: drawn.title ?? drawn.name,
    ...(lead !== undefined && { lead }),
    blocks: [
      ...charts.flatMap(({ metric, title, y, ...more }) => {
        const lines =
          typeof metric === 'string'
            ? linesOf(rows, metric)
            : Object.entries(metric).flatMap(([name, each]) => linesOf(rows, each).map(named(name)))
        return chart(title, y, lines, more)
      }),
      ...blocks,
    ],
  }
}

/** What a method says of a log; undefined where none of its metrics is in it. */
export function figuresOf(rows: readonly LogRow[], drawn: Drawn): RuleFigures | undefined {
  if (!rows.some((row) => Object.keys(row).some((name) => isOf(drawn, name)))) return undefined
  const points = (metric: string): Point[] => pointsOf(rows, metric)
  return drawn.figures?.({ points, meanOf: (metric) => meanOverSteps(points(metric)) })
}

function isOf({ name, prefixes = [name] }: Drawn, metric: string): boolean {
  return prefixes.some((prefix) => metric.startsWith(`${prefix}/`) || [prefix, `eval_${prefix}`].includes(metric))
}

/** What no other section draws. */
export function otherSection(rows: readonly LogRow[], drawn: readonly Drawn[]): ReportSection | undefined {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter(
    (name) => !PLAIN.has(name) && !STEPPING.has(name) && !TOTALS.test(name) && !drawn.some((each) => isOf(each, name)),
  )
  return names.length === 0
    ? undefined
    : { title: 'Other metrics', blocks: names.flatMap((name) => chart(name, name, linesOf(rows, name))) }
}

/** Mean of a metric whose points stand for the steps since the point before; undefined without points. */
function meanOverSteps(points: readonly Point[]): number | undefined {
  let [sum, before] = [0, 0]
  for (const [step, value] of points) {
    sum += value * (step - before)
    before = step
  }
  return before === 0 ? undefined : sum / before
}

/** In training, and held out where there are evaluations. */
function linesOf(rows: readonly LogRow[], name: string, isNoisy = true): Series[] {
  const points = pointsOf(rows, name)
  const held = pointsOf(rows, `eval_${name}`)
  const lines: Series[] =
    points.length === 0
      ? []
      : isNoisy && points.length > NOISY
        ? [
            { name: 'training, as logged', points, style: 'faint' },
            { name: 'training', points: smoothed(points, 1 - SMOOTH_LENGTHS / points.length) },
          ]
        : [{ name: 'training', points }]
  const sets = heldSetsOf(rows).map(
    (set): Series => ({ name: `held out: ${set}`, points: pointsOf(rows, `eval_${set}_${name}`), style: 'marked' }),
  )
  const whole: Series[] = held.length === 0 ? [] : [{ name: 'held out', points: held, style: 'marked' }]
  return [...lines, ...whole, ...sets.filter(({ points }) => points.length > 0)]
}

/** Names of the sets that evaluations tell of one by one: `eval_da_loss` → da. */
export function heldSetsOf(rows: readonly LogRow[]): string[] {
  const names = rows.flatMap((row) => Object.keys(row)).map((name) => /^eval_([\w-]+)_loss$/.exec(name)?.[1])
  return [...new Set(names.filter((name) => name !== undefined))]
}

function named(side: string): (series: Series) => Series {
  return (series) => ({ ...series, name: `${side}, ${series.name}` })
}

function chart(
  title: string,
  y: string,
  series: readonly Series[],
  more: { marks?: readonly Mark[]; note?: string; logY?: boolean; fromZero?: boolean; isShare?: boolean } = {},
): ReportBlock[] {
  const hasPoints = series.some(({ points }) => points.length > 0)
  return hasPoints ? [{ kind: 'line-chart', title, x: 'step', y, series, ...more }] : []
}

function tokensPerStep(rows: readonly LogRow[]): { note?: string } {
  const last = rows.findLast((row) => typeof row.num_tokens === 'number' && Number(row.step) > 0)
  if (last === undefined) return {}
  const tokens = Number(last.num_tokens) / Number(last.step)
  const about = Number.isInteger(tokens) ? '' : 'about '
  return { note: `A step reads ${about}${Math.round(tokens).toLocaleString('en')} tokens, padding included.` }
}
