// Means with what they are worth, and Markdown tables of them.

import { halfInterval } from '../../src/eval/metrics/student-t.ts'

/** NaN for what one value cannot say. `halfWidth` is half the 95 % interval of the mean. */
export function statistics(values: readonly number[]): { mean: number; deviation: number; halfWidth: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  if (values.length < 2) return { mean, deviation: Number.NaN, halfWidth: Number.NaN }
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
  return { mean, deviation, halfWidth: halfInterval(values) }
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

export function markdownTable(
  title: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
  return [`**${title}**`, '', line(columns), `|${columns.map(() => '--:|').join('')}`, ...rows.map(line)].join('\n')
}
