// What a search found, as numbers, as lines for a terminal, and as a page with what every candidate cost at every step.

import { slebFigures } from '../../methods/sleb/figures.ts'
import type { SlebReport, SlebResult } from '../../methods/sleb/result.ts'
import { amount, percent } from '../../report/amounts.ts'
import { renderReport } from '../../report/report.ts'
import { changed, type Summary, summaryTable } from '../edit/summary.ts'
import { pageFooter } from '../page-footer.ts'

/** What the search removed, and what it costs. */
export interface SlebSummary extends SlebReport {
  bytes_before: number
  bytes_after: number
}

/** For people, on the terminal and on the page. */
export function slebSummary(figures: SlebSummary): Summary {
  const { removed, spared, blocks_before, blocks_after } = figures
  const { parameters_before, parameters_after, bytes_before, bytes_after, perplexity_before, perplexity_after } =
    figures
  const perplexity = changed(perplexity_before, perplexity_after, (value) => value.toPrecision(5))
  return [
    ['removed', removed.join(', ') || 'nothing'],
    ['blocks', `${blocks_before} → ${blocks_after}`],
    ['parameters', changed(parameters_before, parameters_after, (count) => amount(count, '', false))],
    ['weights', changed(bytes_before, bytes_after, (bytes) => amount(bytes, 'bytes'))],
    ['perplexity', `${perplexity} on the calibration text`],
    ...(spared > 0
      ? [['spared', `${percent(spared)} of the search's batches by giving candidates up early`] as const]
      : []),
  ]
}

/** The page that lies beside the weights. */
export function slebReport(model: string, result: SlebResult, summary: SlebSummary): string {
  return renderReport({
    title: 'SLEB',
    subtitle: `${model} without ${summary.removed.map((name) => name.replace(' ', '\u00a0')).join(', ') || 'nothing'}`,
    about: [new Date().toISOString().slice(0, 10)],
    sections: [
      { title: 'Result', blocks: [summaryTable(slebSummary(summary))] },
      { title: 'Search', blocks: slebFigures(result) },
    ],
    footer: pageFooter(),
  })
}
