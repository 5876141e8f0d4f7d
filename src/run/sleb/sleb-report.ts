// What a search found, as numbers, as lines for a terminal, and as a page with what every candidate cost at every step.

import { slebFigures } from '../../methods/sleb/figures.ts'
import type { SlebReport, SlebResult } from '../../methods/sleb/result.ts'
import { amount, percent } from '../../report/amounts.ts'
import { type ReportBlock, renderReport } from '../../report/report.ts'
import { pageFooter } from '../page-footer.ts'

/** What the search removed, and what it costs. */
export interface SlebSummary extends SlebReport {
  bytes_before: number
  bytes_after: number
}

export function summaryLines(summary: SlebSummary): string[] {
  const { removed, spared } = summary
  const change = (before: number, after: number): string => `${((after / before - 1) * 100).toFixed(1)} %`
  const row = (name: string, before: string, after: string, note: string): string =>
    `${name.padEnd(12)}${before.padStart(10)}  → ${after.padStart(10)}  ${note}`
  const { parameters_before: p, parameters_after: q, bytes_before: b, bytes_after: c } = summary
  const { perplexity_before: x, perplexity_after: y } = summary
  return [
    `removed     ${removed.join(', ') || 'nothing'}`,
    row('blocks', `${summary.blocks_before}`, `${summary.blocks_after}`, ''),
    row('parameters', amount(p, '', false), amount(q, '', false), change(p, q)),
    row('weights', amount(b, 'bytes'), amount(c, 'bytes'), change(b, c)),
    row('perplexity', x.toPrecision(5), y.toPrecision(5), 'on the calibration text'),
    ...(spared > 0 ? [`spared      ${(100 * spared).toFixed(1)} % of the search by giving candidates up early`] : []),
  ].map((line) => line.trimEnd())
}

/** The page that lies beside the weights. */
export function slebReport(model: string, result: SlebResult, summary: SlebSummary): string {
  return renderReport({
    title: 'SLEB',
    subtitle: `${model} without ${summary.removed.map((name) => name.replace(' ', '\u00a0')).join(', ') || 'nothing'}`,
    about: [new Date().toISOString().slice(0, 10)],
    sections: [
      { title: 'Result', blocks: [summaryTable(summary)] },
      { title: 'Search', blocks: slebFigures(result) },
    ],
    footer: pageFooter(),
  })
}

function summaryTable(summary: SlebSummary): ReportBlock {
  const { parameters_before: p, parameters_after: q, bytes_before: b, bytes_after: c, spared } = summary
  const { perplexity_before: x, perplexity_after: y } = summary
  const change = (before: number, after: number): string => percent(after / before - 1).replace(/^(?=[1-9]|0\.)/, '+')
  return {
    kind: 'table',
    columns: ['', 'before', 'after', 'change'],
    rows: [
      ['blocks', summary.blocks_before, summary.blocks_after, ''],
      ['parameters', amount(p, '', false), amount(q, '', false), change(p, q)],
      ['weights', amount(b, 'bytes'), amount(c, 'bytes'), change(b, c)],
      ['perplexity on the calibration text', x, y, change(x, y)],
      ...(spared > 0
        ? [['batches of the search spared by giving candidates up early', null, percent(spared), null]]
        : []),
    ],
  }
}
