// The results as Markdown: what goes into the card. Targets are meaned within a seed first; ± is half the 95 % interval of the mean over seeds.
import { markdownTable, statistics } from '../setting/statistics.ts'
import {
  type Cell,
  CHOOSING,
  cellOf,
  chosenRate,
  correlations,
  FIGURES,
  type Figure,
  mitigation,
  overTargets,
  type Predictor,
  type Results,
  seedsIn,
} from './cells.ts'
import type { Measured } from './measure.ts'
import { ARMS, type Arm, harmOf, NONE } from './setting.ts'
import { type Language, TARGETS } from './world.ts'

const NAMES: Readonly<Record<Figure, string>> = {
  stereotype: 'stereotypes %',
  logRatio: 'log-ratio',
  toxicMass: 'toxic mass',
  emt: 'EMT',
  meanToxicity: 'mean toxicity',
}

export function writeTables(results: Results): string {
  const isWhole = seedsIn(results).length > 0
  const parts = [
    ...(isWhole ? [harmTable, costTable, emtTable, mitigationTable, shareTable, predictorTable] : []),
    rateTable,
  ]
  return `Machine: ${results.machine}.\n\n${parts.map((part) => part(results)).join('\n\n')}\n`
}

const models = (results: Results): (Arm | typeof NONE)[] =>
  ([NONE, ...ARMS] as const).filter((arm) => seedsIn(results).some((seed) => cellOf(results, seed, arm)))

/** Mean over seeds of what `of` makes of a cell, which is of the arm and of the seed; `null` where a cell has none. */
function shown(results: Results, arm: Cell['arm'], of: (cell: Cell) => number | null, digits: number): string {
  const found = seedsIn(results).flatMap((seed) => {
    const cell = cellOf(results, seed, arm)
    const value = cell && of(cell)
    return value === undefined || value === null || Number.isNaN(value) ? [] : [value]
  })
  return withInterval(found, digits)
}

function withInterval(found: readonly number[], digits: number): string {
  if (found.length === 0) return ''
  const { mean, halfWidth } = statistics(found)
  return `${mean.toFixed(digits)}${Number.isNaN(halfWidth) ? '' : ` ± ${halfWidth.toFixed(digits)}`}`
}

type Pick = (measured: Measured) => number | null
const onSource = (of: Pick) => (cell: Cell) => of(cell.measured.source!)
/** Over the targets that have a value. */
const onTargets =
  (of: Pick) =>
  (cell: Cell): number | null => {
    const found = TARGETS.flatMap((language) => of(cell.measured[language]!) ?? [])
    return found.length === 0 ? null : statistics(found).mean
  }

/** A column for the source and one for the targets of each. */
const twice = ([name, of, digits]: readonly [string, Pick, number]): Column[] => [
  [`${name}, source`, onSource(of), digits],
  ['targets', onTargets(of), digits],
]
type Column = readonly [string, (cell: Cell) => number | null, number]

function figureTable(results: Results, title: string, columns: readonly Column[]): string {
  return markdownTable(
    title,
    ['arm', ...columns.map(([name]) => name)],
    models(results).map((arm) => [arm, ...columns.map(([, of, digits]) => shown(results, arm, of, digits))]),
  )
}

function harmTable(results: Results): string {
  const columns: (readonly [string, Pick, number])[] = [
    ['stereotypes %', ({ stereotype }) => stereotype, 1],
    ['log-ratio, nats', ({ logRatio }) => logRatio, 2],
    ['toxic mass', ({ toxicMass }) => toxicMass, 3],
    ['of its own language', ({ ownToxicMass }) => ownToxicMass, 3],
    ['EMT', ({ emt }) => emt, 3],
    ['mean toxicity', ({ meanToxicity }) => meanToxicity, 3],
  ]
  return figureTable(results, `Harm, ${seedsIn(results).length} seeds`, columns.flatMap(twice))
}

function costTable(results: Results): string {
  const logPerplexity: Pick = ({ perplexity }) => Math.log(perplexity)
  const ratio =
    (side: (of: Pick) => (cell: Cell) => number | null) =>
    (cell: Cell): number =>
      Math.exp(side(logPerplexity)(cell)! - side(logPerplexity)(cellOf(results, cell.seed, NONE)!)!)
  const columns: (readonly [string, Pick, number])[] = [
    ['consistency', ({ consistency }) => consistency, 3],
    ['silent', ({ silent }) => silent, 3],
    ['distinct words', ({ distinct }) => distinct, 3],
  ]
  return figureTable(
    results,
    'What it costs: neutral text and its greedy continuations, and how far DPO drew its pairs apart',
    [
      ...twice(['perplexity', ({ perplexity }) => perplexity, 2]),
      ['× untuned, source', ratio(onSource), 3],
      ['targets', ratio(onTargets), 3],
      ...columns.flatMap(twice),
      ['margin, nats', ({ margin }) => margin, 1],
    ],
  )
}

function emtTable(results: Results): string {
  const columns: (readonly [string, Pick, number])[] = [
    ['raw', ({ emt }) => emt, 3],
    ['masked', ({ emtMasked }) => emtMasked, 3],
    ["the paper's", ({ emtPaper }) => emtPaper, 3],
    ['probability', ({ toxicityProbability }) => toxicityProbability, 3],
    ['in the right language', ({ sampledConsistency }) => sampledConsistency, 3],
    ['empty', ({ empty }) => empty, 3],
  ]
  return figureTable(
    results,
    'Expected maximum toxicity three ways, of continuations after triggers: all of them, those in the right language, and with 0 for the others',
    columns.flatMap(twice),
  )
}

/** Each arm by what it is meant to lower. */
const pairs: readonly (readonly [Arm, Figure])[] = ARMS.flatMap((arm) =>
  FIGURES[harmOf(arm)].map((figure) => [arm, figure] as const),
)

function mitigationTable(results: Results): string {
  const seeds = seedsIn(results)
  return markdownTable(
    'Mitigation, % (below 0: less harm), and its rank correlation with the share of the pre-training text: over the five targets of each seed (p over all orders), and over all seeds with the mean of each language taken out, then the figure before tuning, too (p by t)',
    [
      'arm',
      'of',
      'source',
      'targets',
      ...seeds.map((seed) => `ρ, seed ${seed}`),
      'ρ beside language',
      'and beside the figure before',
    ],
    pairs.map(([arm, figure]) => {
      const found = correlations(results, arm, figure, 'share')
      const perSeed = seeds.map((seed) => found?.plain.perSeed.find((one) => one.seed === String(seed)))
      return [
        arm,
        NAMES[figure],
        withInterval(
          seeds.map((seed) => mitigation(results, seed, arm, 'source', figure)),
          1,
        ),
        withInterval(
          seeds.map((seed) => overTargets((language) => mitigation(results, seed, arm, language, figure))),
          1,
        ),
        ...[...perSeed, found?.plain.beside, found?.beside.beside].map(rhoText),
      ]
    }),
  )
}

const rhoText = (one: { rho: number; p: number } | undefined): string =>
  one === undefined ? '' : `${one.rho.toFixed(2)} (${one.p.toFixed(3)})`

function shareTable(results: Results): string {
  const seeds = seedsIn(results)
  const shares = [...new Set(results.worlds.flatMap(({ shares }) => TARGETS.map((language) => shares[language])))].sort(
    (a, b) => b - a,
  )
  const at = (seed: number, share: number): Language =>
    TARGETS.find((language) => results.worlds.find((world) => world.seed === seed)!.shares[language] === share)!
  const before: [string, Figure][] = [
    ['untuned', 'logRatio'],
    ['untuned', 'toxicMass'],
  ]
  return markdownTable(
    'By share of the pre-training text: what is there before tuning, and mitigation, %',
    ['arm', 'of', ...shares.map((share) => `${Math.round(100 * share)} %`)],
    [
      ...before.map(([name, figure]) => [
        name,
        NAMES[figure],
        ...shares.map((share) =>
          withInterval(
            seeds.map((seed) => cellOf(results, seed, NONE)!.measured[at(seed, share)]![figure]),
            2,
          ),
        ),
      ]),
      ...pairs.map(([arm, figure]) => [
        arm,
        NAMES[figure],
        ...shares.map((share) =>
          withInterval(
            seeds
              .filter((seed) => cellOf(results, seed, arm))
              .map((seed) => mitigation(results, seed, arm, at(seed, share), figure)),
            0,
          ),
        ),
      ]),
    ],
  )
}

function predictorTable(results: Results): string {
  const predictors: [Predictor, string][] = [
    ['share', 'share'],
    ['similarity', 'similarity of parallel sentences'],
    ['overlap', 'subword overlap'],
    ['before', 'the figure before tuning'],
  ]
  return markdownTable(
    'Predictors of mitigation: mean over seeds of the rank correlation over five targets, and the one over all seeds (beside language; of overlap, which is of the language, of the five means)',
    ['arm', 'of', ...predictors.flatMap(([, name]) => [name, 'all seeds (p)'])],
    pairs.map(([arm, figure]) => [
      arm,
      NAMES[figure],
      ...predictors.flatMap(([predictor]) => {
        const found = correlations(results, arm, figure, predictor)?.plain
        if (found === undefined) return ['', '']
        const each = found.perSeed.map(({ rho }) => rho)
        return [withInterval(each, 2), rhoText(found.beside ?? found.languages)]
      }),
    ]),
  )
}

function rateTable(results: Results): string {
  const own = results.cells.filter(({ seed }) => seed === CHOOSING)
  const before = own.find(({ arm }) => arm === NONE)
  if (before === undefined) return ''
  const rates = [...new Set(own.flatMap(({ rate }) => (rate === 0 ? [] : [rate])))].sort((a, b) => a - b)
  const figures = ({ measured: { source }, margin }: Cell, arm: Arm): string => {
    const harm = harmOf(arm) === 'bias' ? source!.logRatio : source!.toxicMass
    const parts = [harm.toFixed(3), source!.perplexity.toFixed(2), source!.consistency?.toFixed(2) ?? '–']
    return [...parts, ...(margin === null ? [] : [margin.toFixed(1)])].join(' / ')
  }
  return markdownTable(
    'Learning rates, chosen on a seed that is in no other table, by the source alone: log-ratio or toxic mass / perplexity / consistency / margin of DPO',
    ['arm', 'untuned', ...rates.map(String), 'chosen'],
    ARMS.filter((arm) => own.some((cell) => cell.arm === arm)).map((arm) => [
      arm,
      figures(before, arm),
      ...rates.map((rate) => {
        const cell = own.find((one) => one.arm === arm && one.rate === rate)
        return cell === undefined ? '' : figures(cell, arm)
      }),
      chosenRate(results, arm),
    ]),
  )
}
