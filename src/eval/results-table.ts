// Results as lines for people: lm-evaluation-harness's columns, and what is to be said of the answers.

import type { AnswerCounts, EvalResults } from './results.ts'

/** One metric of a task or group. */
export interface ResultRow {
  name: string
  /** How many groups it is in. */
  depth: number
  filter: string
  shots: string
  metric: string
  /** ↑ or ↓: which way is better. */
  better: string
  value: number
  error: number | undefined
}

/** Every metric, tasks below their groups. */
export function resultRows(results: EvalResults): ResultRow[] {
  const { group_subtasks: children } = results
  const inner = new Set(Object.values(children).flat())
  const rows: ResultRow[] = []
  const visit = (name: string, depth: number): void => {
    rows.push(...rowsOf(results, name, depth))
    for (const child of children[name] ?? []) visit(child, depth + 1)
  }
  for (const name of Object.keys(results.results)) if (!inner.has(name)) visit(name, 0)
  return rows
}

function rowsOf(
  { results, higher_is_better: better, 'n-shot': shots }: EvalResults,
  name: string,
  depth: number,
): ResultRow[] {
  const metrics = results[name] ?? {}
  const rows = Object.entries(metrics).flatMap(([key, value]): ResultRow[] => {
    const [metric = '', filter] = key.split(',')
    if (filter === undefined || metric.endsWith('_stderr') || typeof value !== 'number') return []
    const error = metrics[`${metric}_stderr,${filter}`]
    const isHigher = better[name]?.[metric]
    return [
      {
        name: String(metrics.alias ?? name),
        depth,
        filter,
        shots: String(shots[name] ?? ''),
        metric,
        better: isHigher === true ? '↑' : isHigher === false ? '↓' : '',
        value,
        error: typeof error === 'number' ? error : undefined,
      },
    ]
  })
  return rows.length > 0 || depth > 0
    ? rows
    : [{ name, depth, filter: '', shots: '', metric: '', better: '', value: Number.NaN, error: undefined }]
}

/** The table, one line for each metric. */
export function resultsTable(results: EvalResults): string[] {
  const rows = resultRows(results)
  const cells = rows.map(({ name, depth, filter, shots, metric, better, value, error }, i) => {
    const isFirst = rows[i - 1]?.name !== name
    return [
      isFirst ? `${' '.repeat(depth)}${depth > 0 ? '- ' : ''}${name}` : '',
      isFirst ? shots : '',
      filter,
      `${metric} ${better}`.trim(),
      Number.isNaN(value) ? '' : shown(value),
      error === undefined ? '' : `± ${shown(error)}`,
    ]
  })
  const all = [['task', 'shots', 'filter', 'metric', 'value', 'std. error'], ...cells]
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => Array.from(row[i]!).length)))
  return all.map((row) =>
    row
      .map((cell, i) => (i === 4 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}

const shown = (value: number): string => (Math.abs(value) >= 1e5 ? value.toExponential(4) : value.toFixed(4))

/** What must not be overlooked about the answers, a line for each kind. */
export function answerNotices(answers: Readonly<Record<string, AnswerCounts>>): string[] {
  const told = (key: keyof AnswerCounts, one: string, many: string): string[] => {
    const tasks = Object.entries(answers).filter(([, counts]) => counts[key] > 0)
    const all = tasks.reduce((sum, [, counts]) => sum + counts[key], 0)
    if (all === 0) return []
    const where = tasks.slice(0, 5).map(([task, counts]) => `${task} ${counts[key]}`)
    return [`${all} ${all === 1 ? one : many} (${where.join(', ')}${tasks.length > 5 ? ', …' : ''})`]
  }
  return [
    ...told(
      'failed',
      'document has no answer and no score: it is left out of the numbers',
      'documents have no answer and no score: they are left out of the numbers',
    ),
    ...told(
      'empty',
      'document has an empty answer, scored as it stands',
      'documents have an empty answer, scored as it stands',
    ),
    ...told(
      'truncated',
      "document has a context longer than the model's window: its beginning was left out",
      "documents have a context longer than the model's window: their beginnings were left out",
    ),
    ...told(
      'joined',
      "document has a continuation that begins within a token, which counts as the context's, as in lm-eval",
      "documents have a continuation that begins within a token, which counts as the context's, as in lm-eval",
    ),
  ]
}
