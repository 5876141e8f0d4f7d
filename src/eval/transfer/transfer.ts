// What tuning in one language lowered in the others, and what goes with it: mitigation by language joined with what is known of the languages.
import { InputError } from '../../errors.ts'
import { type Correlation, partialSpearman, spearman } from './spearman.ts'

/** A figure of one language before and after tuning under one seed. */
export interface Tuned {
  /** What was done, such as the arm; seeds of one setting belong together. */
  setting: string
  seed: string
  language: string
  before: number
  after: number
}

/** What is known of a language, or of a language under a seed. */
export interface KnownLanguage {
  language: string
  /** Where it is another for every seed, such as shares that were drawn anew. */
  seed?: string
  values: Readonly<Record<string, number>>
}

/** How mitigation goes with one thing that is known of the languages. */
export interface TransferCorrelation {
  setting: string
  predictor: string
  /** Over the languages of each seed. */
  perSeed: ({ seed: string } & Correlation)[]
  /** Over languages, of the means over seeds; absent where the predictor is another for every seed. */
  languages?: Correlation
  /** With the covariates taken out: of the means over seeds, or, where the predictor is another for every seed, of all pairs with the mean of each language taken out, too. */
  beside?: Correlation & { covariates: string[] }
}

/** Mitigation by language, and its correlations. */
export interface Transfer {
  source: string
  /** Mitigation is 100 · (after − before) / before: below 0 where the figure fell. */
  rows: (Tuned & { mitigation: number })[]
  correlations: TransferCorrelation[]
  /** Correlations that there are not, with the reason. */
  notices: string[]
}

/** What `before` is called among the covariates. */
const BEFORE = 'before'

/**
 * Joins by language (and seed) and correlates over all languages but the source. InputError where a language that was measured is not known, where
 * a figure is 0 before tuning, and where no correlation can be had.
 */
export function transfer(
  tuned: readonly Tuned[],
  known: readonly KnownLanguage[],
  { source, covariates = [] }: { source: string; covariates?: readonly string[] },
): Transfer {
  const rows = tuned.map((row) => ({ ...row, mitigation: mitigationOf(row) }))
  if (!rows.some(({ language }) => language === source))
    throw new InputError(
      `source: expected one of the languages that were measured (${distinct(rows, 'language').join(', ')}), got ${source}`,
    )
  const targets = rows.filter(({ language }) => language !== source)
  const predictors = [...new Set(known.flatMap(({ values }) => Object.keys(values)))]
  const unknown = covariates.find((name) => name !== BEFORE && !predictors.includes(name))
  if (unknown !== undefined)
    throw new InputError(`covariates: expected ${[BEFORE, ...predictors].join(', ')}, got ${unknown}`)
  const find = lookUp(known, targets, predictors)
  const notices: string[] = []
  const correlations = distinct(targets, 'setting').flatMap((setting) =>
    predictors.flatMap((predictor) => {
      const own = targets.filter((row) => row.setting === setting)
      try {
        return [correlate(setting, predictor, own, find, covariates, (message) => notices.push(message))]
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        notices.push(`${setting}: ${error.message}`)
        return []
      }
    }),
  )
  if (correlations.length === 0 && notices.length > 0) throw new InputError(notices[0]!)
  return { source, rows, correlations, notices }
}

function mitigationOf({ setting, language, before, after }: Tuned): number {
  if (before !== 0 && Number.isFinite(before) && Number.isFinite(after)) return (100 * (after - before)) / before
  throw new InputError(
    `${setting}, ${language}: expected figures before and after tuning, before it not 0, got ${before} and ${after}. A share of nothing cannot be told; choose another metric`,
  )
}

type Row = Transfer['rows'][number]
type Find = (row: Row, name: string) => number

/** Every target's value of every predictor; a missing one is told before anything is computed. */
function lookUp(known: readonly KnownLanguage[], targets: readonly Row[], predictors: readonly string[]): Find {
  const at = (language: string, seed: string | undefined, name: string): number | undefined =>
    known.find((one) => one.language === language && one.seed === seed && one.values[name] !== undefined)?.values[name]
  const find = ({ language, seed }: Row, name: string): number | undefined =>
    at(language, seed, name) ?? at(language, undefined, name)
  for (const name of predictors)
    for (const row of targets) {
      if (find(row, name) !== undefined) continue
      const isSeed = known.some((one) => one.language === row.language && one.values[name] !== undefined)
      const where = isSeed ? `${row.language} under seed ${row.seed}` : row.language
      const have = [
        ...new Set(known.filter(({ values }) => values[name] !== undefined).map(({ language }) => language)),
      ]
      throw new InputError(
        `${name}: expected a value for ${where}, which was measured, got only ${have.join(', ')}. Add it, or leave the language out of the sweep`,
      )
    }
  return (row, name) => (name === BEFORE ? row.before : find(row, name)!)
}

function correlate(
  setting: string,
  predictor: string,
  rows: readonly Row[],
  find: Find,
  covariates: readonly string[],
  notice: (message: string) => void,
): TransferCorrelation {
  const names = [predictor, 'mitigation'] as const
  const seeds = distinct(rows, 'seed')
  const columns = (list: readonly Row[]): [number[], number[]] => [
    list.map((row) => find(row, predictor)),
    list.map(({ mitigation }) => mitigation),
  ]
  const perSeed = seeds.map((seed) => {
    const own = rows.filter((row) => row.seed === seed)
    return { seed, ...spearman(...columns(own), names) }
  })
  const languages = distinct(rows, 'language')
  const isFixed = languages.every(
    (language) =>
      new Set(rows.filter((row) => row.language === language).map((row) => find(row, predictor))).size === 1,
  )
  const means = languages.map((language): Row => {
    const own = rows.filter((row) => row.language === language)
    const mean = (of: (row: Row) => number): number => own.reduce((sum, row) => sum + of(row), 0) / own.length
    return { ...own[0]!, before: mean(({ before }) => before), mitigation: mean(({ mitigation }) => mitigation) }
  })
  const others = covariates.filter((name) => name !== predictor)
  const pooled = isFixed ? means : rows
  const taken = [
    ...(isFixed ? [] : [rows.map(({ language }) => language)]),
    ...others.map((name) => pooled.map((row) => find(row, name))),
  ]
  const result: TransferCorrelation = { setting, predictor, perSeed }
  if (isFixed) result.languages = spearman(...columns(means), names)
  if (taken.length === 0) return result
  try {
    const beside = partialSpearman(...columns(pooled), taken, names)
    result.beside = { ...beside, covariates: [...(isFixed ? [] : ['language']), ...others] }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    notice(`${setting}: ${error.message}`)
  }
  return result
}

const distinct = <K extends 'setting' | 'seed' | 'language'>(rows: readonly Row[], key: K): string[] => [
  ...new Set(rows.map((row) => row[key])),
]
