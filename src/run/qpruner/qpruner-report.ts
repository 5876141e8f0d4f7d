// How the models of the pipeline compare, as lines for a terminal and as a page with the trade between bytes and loss.

import { formatFigures } from '../../methods/quantize/figures.ts'
import { amount } from '../../report/amounts.ts'
import { renderReport } from '../../report/report.ts'
import type { ChosenFile, Judged } from './stages.ts'

export function qprunerLines(judged: readonly Judged[], chosen: ChosenFile): string[] {
  return [
    ...judged.map(
      ({ name, bytes, loss, perplexity }) =>
        `${name.padEnd(11)} ${amount(bytes, 'bytes').padStart(9)}  loss ${loss.toFixed(4)}  perplexity ${perplexity.toPrecision(5)}`,
    ),
    `formats     ${chosen.bits.toFixed(2)} bits per weight: ${chosen.units.map(({ format }) => format).join(' ')}`,
  ]
}

export function qprunerReport(
  model: string,
  judged: readonly Judged[],
  chosen: ChosenFile,
  objective: 'kl' | 'ce',
): string {
  return renderReport({
    title: `QPruner · ${new Date().toISOString().slice(0, 10)}`,
    subtitle: `${model}, ${chosen.bits.toFixed(2)} bits per weight by ${chosen.allocate}`,
    sections: [
      {
        title: 'Models',
        lead: 'Loss on windows that nothing was chosen by. Bytes are those of the weight files.',
        blocks: [
          {
            kind: 'line-chart',
            title: 'Bytes and loss',
            x: 'bytes',
            y: 'nats per token',
            logX: true,
            series: judged.map(({ name, bytes, loss }) => ({
              name,
              style: 'dots' as const,
              points: [[bytes, loss]],
            })),
          },
          {
            kind: 'table',
            columns: ['', 'bytes', 'loss', 'perplexity'],
            rows: judged.map(({ name, bytes, loss, perplexity }) => [name, bytes, loss, perplexity]),
          },
        ],
      },
      { title: 'Formats', blocks: formatFigures(chosen, objective) },
    ],
  })
}
