// The page of what carried over: mitigation by language, its correlations, and a plot for every predictor.
import type { ReportBlock } from '../../report/report.ts'
import { renderReport } from '../../report/report.ts'
import type { Series } from '../../report/series.ts'
import { pageFooter } from '../page-footer.ts'
import type { TransferResult } from './transfer-result.ts'
import { correlationTable, mitigationTable } from './transfer-tables.ts'

/** One HTML file. */
export function transferPage(result: TransferResult): string {
  const { metric, source, correlations, notices } = result
  const predictors = [...new Set(correlations.map(({ predictor }) => predictor))]
  return renderReport({
    title: 'Transfer between languages',
    subtitle: `${metric}, tuned in ${source}`,
    sections: [
      {
        title: 'Mitigation',
        lead: 'Change against the model before tuning, in per cent: below 0 the figure fell. Over several seeds a mean with half of its 95 % interval.',
        blocks: [{ kind: 'table', ...mitigationTable(result) }],
      },
      {
        title: 'What goes with it',
        lead: `Spearman’s ρ over the languages beside ${source}, with the p of ρ itself (up to nine pairs over all orders). Below 0: more of it goes with more that is gone. Few languages cannot tell much.`,
        blocks: [
          { kind: 'table', ...correlationTable(result) },
          ...(notices.length > 0
            ? [{ kind: 'prose', text: notices.map((notice) => `${notice}.`).join('\n\n') } as const]
            : []),
          ...predictors.map((predictor): ReportBlock => plot(result, predictor)),
        ],
      },
    ],
    footer: pageFooter(),
  })
}

/** Means over seeds, a dot for each language; where a predictor is another for every seed, a dot for each of both. */
function plot({ rows, known, source }: TransferResult, predictor: string): ReportBlock {
  const knownOf = (language: string, seed?: string): number | undefined =>
    known.find((one) => one.language === language && one.seed === seed && one.values[predictor] !== undefined)?.values[
      predictor
    ]
  const targets = rows.filter(({ language }) => language !== source)
  const series = [...new Set(targets.map(({ setting }) => setting))].map((setting): Series => {
    const own = targets.filter((row) => row.setting === setting)
    const isBySeed = own.some(({ language, seed }) => knownOf(language, seed) !== undefined)
    const dots = isBySeed
      ? own.map(({ language, seed, mitigation }) => ({
          language,
          x: knownOf(language, seed) ?? knownOf(language),
          y: mitigation,
        }))
      : [...new Set(own.map(({ language }) => language))].map((language) => {
          const list = own.filter((row) => row.language === language)
          return {
            language,
            x: knownOf(language),
            y: list.reduce((sum, { mitigation }) => sum + mitigation, 0) / list.length,
          }
        })
    const sorted = dots.toSorted((a, b) => a.x! - b.x!)
    const names = sorted.map(({ language }) => language)
    const points = sorted.map(({ x, y }) => [x!, y] as const)
    // Of many dots a name beside each would hide the others.
    return { name: setting, points, labels: names, ...(!isBySeed && { names }) }
  })
  return {
    kind: 'scatter',
    title: `Mitigation by ${predictor.replaceAll('_', ' ')}`,
    x: predictor.replaceAll('_', ' '),
    y: 'mitigation, %',
    series,
  }
}
