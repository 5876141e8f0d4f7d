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
        const mean = fixed(own.reduce((a, b) => a + b, 0) / own.length, 1)
        return Number.isNaN(half) ? mean : `${mean}\u00a0±\u00a0${half.toFixed(1)}`
      }),
    ]),
  }
}

/** A row for each setting and predictor; columns that nothing stands in are left out. */
export function correlationTable({ correlations }: TransferResult): TextTable {
  const taken = [...new Set(correlations.flatMap(({ beside }) => beside?.covariates ?? []))]
  const table: [string, string[]][] = [
    ['setting', correlations.map(({ setting }) => setting)],
    ['predictor', correlations.map(({ predictor }) => predictor)],
    ['ρ of each seed (p)', correlations.map(({ perSeed }) => perSeed.map(correlationText).join(', '))],
    ['ρ over languages (p, n)', correlations.map(({ languages }) => (languages ? withCount(languages) : ''))],
    [`ρ beside ${taken.join(', ')} (p, n)`, correlations.map(({ beside }) => (beside ? withCount(beside) : ''))],
  ]
  const shown = table.filter(([, cells]) => cells.some((cell) => cell !== ''))
  return {
    columns: shown.map(([name]) => name),
    rows: correlations.map((_, i) => shown.map(([, cells]) => cells[i]!)),
  }
}

export const mitigationLines = (result: TransferResult): string[] => [
  `mitigation of ${result.metric}, %`,
  ...markdown(mitigationTable(result)),
]
export const correlationLines = (result: TransferResult): string[] => markdown(correlationTable(result))

/** What rounds to 0 has no sign. */
const fixed = (value: number, digits: number): string => value.toFixed(digits).replace(/^-(?=[0.]+$)/, '')
const probability = (p: number): string => (p < 0.001 ? '<0.001' : p.toFixed(3))
// Blanks that do not break: a number and its p stay on one line of a page.
const correlationText = ({ rho, p }: Correlation): string => `${fixed(rho, 2)}\u00a0(${probability(p)})`
const withCount = ({ rho, p, n }: Correlation): string => `${fixed(rho, 2)}\u00a0(${probability(p)},\u00a0${n})`

function markdown({ columns, rows }: TextTable): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(columns), line(columns.map(() => '--:')), ...rows.map(line)].map((text) =>
    text.replaceAll('\u00a0', ' '),
  )
}
