// What an edit did, in a few named figures: the same for the terminal and for the page beside the weights.
import { percent } from '../../report/amounts.ts'
import type { ReportBlock } from '../../report/report.ts'

/** A name of at most eleven letters, and what there is to say. */
export type Summary = readonly (readonly [name: string, text: string])[]

/** Names in one column, texts in another. */
export function summaryLines(summary: Summary): string[] {
  return summary.map(([name, text]) => `${name.padEnd(12)}${text}`)
}

/** The same as a table of a page. */
export function summaryTable(summary: Summary): ReportBlock {
  return { kind: 'table', columns: ['', ''], rows: summary }
}

/** `10 → 8, -20 %`. */
export function changed(before: number, after: number, shown: (value: number) => string): string {
  const change = percent(after / before - 1)
  return `${shown(before)} → ${shown(after)}, ${/^[1-9]|^0\./.test(change) ? '+' : ''}${change}`
}
