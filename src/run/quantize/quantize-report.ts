// What quantizing did, as numbers, as lines for a terminal, and as a page with the trade between bytes and loss.

import type { QuantObjective } from '../../methods/quantize/choices.ts'
import { type FormatsSummary, formatFigures, formatsSubtitle } from '../../methods/quantize/figures.ts'
import { amount, percent } from '../../report/amounts.ts'
import { renderReport } from '../../report/report.ts'
import { type Summary, summaryTable } from '../edit/summary.ts'
import { pageFooter } from '../page-footer.ts'

/** What quantization chose, and what it costs in bytes and in loss. */
export interface QuantizeSummary extends FormatsSummary {
  /** Everything else that is held: embeddings, head, norms. */
  other_bytes: number
}

/** For people, on the terminal and on the page. */
export function quantizeSummary({ bits, bytes, bytes_16_bit, other_bytes }: QuantizeSummary): Summary {
  const share = percent(bytes / bytes_16_bit)
  return [
    ['matrices', `${amount(bytes, 'bytes')}, ${bits.toFixed(2)} bits per weight, ${share} of 16 bits`],
    ['the rest', amount(other_bytes, 'bytes')],
  ]
}

/** What each unit is stored as, for the terminal. */
export function formatLines({ units }: QuantizeSummary): string[] {
  const widest = Math.max(...units.map(({ unit }) => unit.length))
  return units.map(
    ({ unit, format, bytes }) => `${unit.padEnd(widest)}  ${format.padEnd(4)}  ${amount(bytes, 'bytes').padStart(9)}`,
  )
}

export function quantizeReport(model: string, summary: QuantizeSummary, objective: QuantObjective): string {
  return renderReport({
    title: 'Quantization',
    subtitle: formatsSubtitle(model, summary),
    about: [new Date().toISOString().slice(0, 10)],
    sections: [
      { title: 'Result', blocks: [summaryTable(quantizeSummary(summary))] },
      { title: 'Formats', blocks: formatFigures(summary, objective) },
    ],
    footer: pageFooter(),
  })
}
