// The rows of a sweep as tables: what training says of each run, and of every metric of an evaluation, settings by languages over seeds.
import { halfInterval } from '../../eval/metrics/student-t.ts'
import type { SweepResult, SweepRow } from './sweep-result.ts'

/** A table before it is drawn. */
export interface SweepTable {
  title: string
  columns: string[]
  rows: string[][]
}

/** Not compared: they are of the machine. */
const TIMINGS = /_(?:runtime|per_second)$/
/** Axes over which a mean is taken. */
const SEEDS: readonly string[] = ['seed', 'data_seed']

export function trainingTable(axes: readonly string[], rows: readonly SweepRow[]): SweepTable {
  const metrics = [...new Set(rows.flatMap((row) => Object.keys(row.metrics).filter(isCompared)))]
  return {
    title: 'Training',
    columns: [...axes, 'status', ...metrics],
    rows: rows.map((row) => [
      ...axes.map((axis) => row.settings[axis] ?? ''),
      row.error === undefined ? row.status : `${row.status}: ${row.error.split('\n')[0]}`,
      ...metrics.map((name) => numberText(row.metrics[name])),
    ]),
  }
}

/** One for each metric, or each that is `wanted`; none without evaluations. Over several seeds a cell is a mean with half of its 95 % interval. */
export function evaluationTables({ rows, before = [] }: SweepResult, wanted?: readonly string[]): SweepTable[] {
  const groups = new Map<string, SweepResult['rows']>()
  for (const row of rows) {
    const name = settingsText(row.settings)
    groups.set(name, [...(groups.get(name) ?? []), row])
  }
  const all = [
    ...before.map(({ model, evaluated }) => ({
      name: before.length > 1 ? `before: ${model}` : 'before',
      of: [evaluated],
    })),
    ...Array.from(groups, ([name, own]) => ({
      name,
      of: own.flatMap(({ evaluated }) => (evaluated ? [evaluated] : [])),
    })),
  ].filter(({ of }) => of.length > 0)
  const evaluated = all.flatMap(({ of }) => of.flat())
  const labels = [...new Set(evaluated.map(({ label }) => label))]
  const metrics = [...new Set(evaluated.flatMap((one) => Object.keys(one.metrics)))].filter(
    (name) => wanted === undefined || wanted.some((metric) => isNamed(name, metric)),
  )
  const counts = new Set(all.slice(before.length).map(({ of }) => of.length))
  const seeds =
    Math.max(...counts, 1) > 1 ? `, mean over ${[...counts].join(' or ')} seeds ± half of its 95 % interval` : ''
  return metrics.map((metric) => ({
    title: `${metric}${seeds}`,
    columns: ['settings', ...labels.map((label) => label || 'value')],
    rows: all.map(({ name, of }) => [
      name,
      ...labels.map((label) =>
        meanText(of.flatMap((list) => list.find((one) => one.label === label)?.metrics[metric] ?? [])),
      ),
    ]),
  }))
}

/** Of the metrics that are to have a table, those that no evaluation has; none where nothing was evaluated. */
export function missingMetrics({ rows, before = [] }: SweepResult, wanted: readonly string[] = []): string[] {
  const evaluated = [...before, ...rows].flatMap((one) => one.evaluated ?? [])
  const names = new Set(evaluated.flatMap(({ metrics }) => Object.keys(metrics)))
  return evaluated.length === 0 ? [] : wanted.filter((metric) => ![...names].some((name) => isNamed(name, metric)))
}

/** Whether a metric is meant, with its task (`crows_pairs log_ratio`) or without. */
export const isNamed = (name: string, metric: string): boolean =>
  name === metric || name.split(' ').slice(1).join(' ') === metric

/** Settings but seeds, as people read them. */
export function settingsText(settings: Readonly<Record<string, string>>): string {
  const shown = Object.entries(settings).filter(([axis]) => !SEEDS.includes(axis))
  return shown.map(([axis, label]) => `${axis} ${label}`).join(', ') || 'tuned'
}

/** As a row of a table at a terminal: settings, how it ended, what evaluations of training say. */
export function shownRow({ settings, status, metrics }: SweepRow, axes: readonly string[]): Record<string, string> {
  return {
    ...Object.fromEntries(axes.map((axis) => [axis, settings[axis] ?? ''])),
    status,
    eval_loss: numberText(metrics.eval_loss),
    train_loss: numberText(metrics.train_loss),
  }
}

export function markdownOf({ columns, rows }: SweepTable): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(columns), line(columns.map(() => '--:')), ...rows.map(line)]
}

const isCompared = (name: string): boolean => /^(?:eval|train)_/.test(name) && !TIMINGS.test(name)

const numberText = (value: number | null | undefined): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(5))) : ''

function meanText(values: readonly number[]): string {
  if (values.length === 0) return ''
  const half = halfInterval(values)
  const mean = numberText(values.reduce((a, b) => a + b, 0) / values.length)
  return Number.isNaN(half) ? mean : `${mean} ± ${Number(half.toPrecision(2))}`
}
