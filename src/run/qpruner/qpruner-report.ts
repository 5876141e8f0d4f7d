// How the models of the pipeline compare, as lines for a terminal and as a page with the trade between bytes and loss.

import { formatFigures, formatsSubtitle } from '../../methods/quantize/figures.ts'
import { amount } from '../../report/amounts.ts'
import { renderReport } from '../../report/report.ts'
import { pageFooter } from '../page-footer.ts'
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
  const [divisor, unit] = unitOf(Math.max(...judged.map(({ bytes }) => bytes)))
  return renderReport({
    title: 'QPruner',
    subtitle: formatsSubtitle(model, chosen),
    about: [new Date().toISOString().slice(0, 10)],
    sections: [
      {
        title: 'Models',
        lead: 'Loss on windows that nothing was chosen by. Sizes are those of the weight files.',
        blocks: [
          {
            kind: 'line-chart',
            title: 'Size and loss',
            x: `${unit} of weights`,
            y: 'loss, nats per token',
            logX: true,
            series: judged.map(({ name, bytes, loss }) => ({
              name,
              style: 'dots' as const,
              points: [[bytes / divisor, loss]],
            })),
          },
          {
            kind: 'table',
            columns: ['', 'size', 'loss (nats per token)', 'perplexity'],
            rows: judged.map(({ name, bytes, loss, perplexity }) => [name, amount(bytes, 'bytes'), loss, perplexity]),
          },
        ],
      },
      { title: 'Formats', blocks: formatFigures(chosen, objective) },
    ],
    footer: pageFooter(),
  })
}

function unitOf(bytes: number): readonly [divisor: number, unit: string] {
  return bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB']
}
