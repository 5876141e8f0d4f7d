// What quantizing did, as numbers, as lines for a terminal, and as a page with the trade between bytes and loss.

import type { QuantObjective } from '../../methods/quantize/choices.ts'
import { type FormatsSummary, formatFigures, formatsSubtitle } from '../../methods/quantize/figures.ts'
import { amount, percent } from '../../report/amounts.ts'
import { type ReportBlock, renderReport } from '../../report/report.ts'
import { pageFooter } from '../page-footer.ts'

/** What quantization chose, and what it costs in bytes and in loss. */
export interface QuantizeSummary extends FormatsSummary {
  /** Everything else that is held: embeddings, head, norms. */
  other_bytes: number
}

export function summaryLines(summary: QuantizeSummary): string[] {
  const { units, bits, bytes, bytes_16_bit, other_bytes } = summary
  const widest = Math.max(...units.map(({ unit }) => unit.length))
  const share = ((100 * bytes) / bytes_16_bit).toFixed(1)
  return [
    ...units.map(
      ({ unit, format, bytes }) => `${unit.padEnd(widest)}  ${format.padEnd(4)}  ${amount(bytes, 'bytes').padStart(9)}`,
    ),
    `matrices    ${amount(bytes, 'bytes')}, ${bits.toFixed(2)} bits per weight, ${share} % of 16 bits; the rest ${amount(other_bytes, 'bytes')}`,
  ]
}

export function quantizeReport(model: string, summary: QuantizeSummary, objective: QuantObjective): string {
  return renderReport({
    title: 'Quantization',
    subtitle: formatsSubtitle(model, summary),
    about: [new Date().toISOString().slice(0, 10)],
    sections: [
      { title: 'Result', blocks: [summaryTable(summary)] },
      { title: 'Formats', blocks: formatFigures(summary, objective) },
    ],
    footer: pageFooter(),
  })
}

function summaryTable({ bits, bytes, bytes_16_bit: dense, other_bytes: other }: QuantizeSummary): ReportBlock {
  return {
    kind: 'table',
    columns: ['', 'size', 'bits per weight', 'of 16 bits'],
    rows: [
      ['matrices', amount(bytes, 'bytes'), bits, percent(bytes / dense)],
      ['everything else', amount(other, 'bytes'), null, null],
    ],
  }
}
