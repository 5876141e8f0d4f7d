// What quantizing did, as numbers, as lines for a terminal, and as a page with the trade between bytes and loss.

import type { QuantObjective } from '../../methods/quantize/choices.ts'
import { type FormatsSummary, formatFigures } from '../../methods/quantize/figures.ts'
import { amount, percent } from '../../report/amounts.ts'
import { type ReportBlock, renderReport } from '../../report/report.ts'

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
    title: `Quantization · ${new Date().toISOString().slice(0, 10)}`,
    subtitle: `${model}, ${summary.bits.toFixed(2)} bits per weight by ${summary.allocate}`,
    sections: [
      { title: 'Result', blocks: [summaryTable(summary)] },
      { title: 'Formats', blocks: formatFigures(summary, objective) },
    ],
  })
}

function summaryTable({ bits, bytes, bytes_16_bit: dense, other_bytes: other }: QuantizeSummary): ReportBlock {
  return {
    kind: 'table',
    columns: ['', 'bytes', 'bits per weight', 'of 16 bits'],
    rows: [
      ['matrices', amount(bytes, 'bytes'), bits, percent(bytes / dense)],
      ['everything else', amount(other, 'bytes'), null, ''],
    ],
  }
}
