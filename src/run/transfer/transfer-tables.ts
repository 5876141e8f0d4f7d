// Mitigation and correlations as tables, for a terminal and for the page.
import { halfInterval } from '../../eval/metrics/student-t.ts'
import type { Correlation } from '../../eval/transfer/spearman.ts'
import type { TransferResult } from './transfer-result.ts'

/** Names of columns and rows of text. */
export interface TextTable {
  columns: string[]
  rows: string[][]
}

/** Settings by languages, the source first: mitigation in per cent, over seeds a mean with half of its 95 % interval. */
export function mitigationTable({ rows, source }: TransferResult): TextTable {
  const languages = [...new Set([source, ...rows.map(({ language }) => language)])]
  return {
    columns: ['setting', ...languages.map((language) => (language === source ? `${language} (tuned)` : language))],
    rows: [...new Set(rows.map(({ setting }) => setting))].map((setting) => [
      setting,
      ...languages.map((language) => {
        const own = rows
          .filter((row) => row.setting === setting && row.language === language)
          .map(({ mitigation }) => mitigation)
        if (own.length === 0) return ''
        const half = halfInterval(own)
        const mean = (own.reduce((a, b) => a + b, 0) / own.length).toFixed(1)
        return Number.isNaN(half) ? mean : `${mean} ± ${half.toFixed(1)}`
      }),
    ]),
  }
}

/** A row for each setting and predictor. */
export function correlationTable({ correlations }: TransferResult): TextTable {
  return {
    columns: ['setting', 'predictor', 'ρ of each seed (p)', 'ρ over languages (p)', 'ρ beside covariates (p)'],
    rows: correlations.map(({ setting, predictor, perSeed, languages, beside }) => [
      setting,
      predictor,
      perSeed.map(correlationText).join(', '),
      languages === undefined ? '' : `${correlationText(languages)}, n ${languages.n}`,
      beside === undefined ? '' : `${correlationText(beside)}, n ${beside.n}, beside ${beside.covariates.join(', ')}`,
    ]),
  }
}

export const mitigationLines = (result: TransferResult): string[] => [
  `mitigation of ${result.metric}, %`,
  ...markdown(mitigationTable(result)),
]
export const correlationLines = (result: TransferResult): string[] => markdown(correlationTable(result))

const correlationText = ({ rho, p }: Correlation): string =>
  `${rho.toFixed(2)} (${p < 0.001 ? '<0.001' : p.toFixed(3)})`

function markdown({ columns, rows }: TextTable): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(columns), line(columns.map(() => '--:')), ...rows.map(line)]
}
