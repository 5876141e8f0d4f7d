// What the difference between two evaluations is worth: documents in pairs, an interval for the difference, and the chance of one as large
// where there is none.

import { InputError } from '../errors.ts'
import { counted } from '../report/amounts.ts'
import { aggregate, METRICS, type MetricValue, mean, sampleStandardDeviation } from './aggregate.ts'
import { PythonRandom } from './python-random.ts'
import type { StoredResults } from './result-files.ts'
import type { Sample } from './samples.ts'

/** One metric of one task, before and after. */
export interface Comparison {
  task: string
  metric: string
  filter: string
  before: number
  after: number
  /** `after` − `before`. */
  difference: number
  /** It lies between these with 95 % confidence. */
  low: number
  high: number
  /** How often chance alone gives a difference as large. */
  p: number
  /** Documents, in pairs; 0 where there are no samples, and the standard errors of both are all that is known. */
  pairs: number
  /** Which way is better, where that is known. */
  higherIsBetter: boolean | null
  /** Documents whose value is another one. */
  changed: readonly { id: number; before: MetricValue; after: MetricValue }[]
}

const DRAWS = 10_000

/** Compares all tasks that both have. InputError where there is none, or where the documents are not the same. */
export function compareResults(before: StoredResults, after: StoredResults): Comparison[] {
  const [first, second] = [before, after].map(
    ({ results }) => results.results as Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  )
  const tasks = Object.keys(first!).filter((task) => second![task] !== undefined)
  const found = tasks.flatMap((task) => {
    const keys = Object.keys(first![task]!).filter(
      (key) =>
        key.includes(',') &&
        !key.includes('_stderr,') &&
        typeof first![task]![key] === 'number' &&
        typeof second![task]![key] === 'number',
    )
    return keys.map((key) => compareMetric(task, key, before, after))
  })
  if (found.length > 0) return found
  throw new InputError(
    `${after.path || 'results'}: expected tasks that ${before.path} has too (${Object.keys(first!).join(', ')}), got ${Object.keys(second!).join(', ')}`,
  )
}

function compareMetric(task: string, key: string, before: StoredResults, after: StoredResults): Comparison {
  const [metric = '', filter = ''] = key.split(',')
  const of = ({ results }: StoredResults, name: string): unknown =>
    (results.results as Record<string, Record<string, unknown>>)[task]![name]
  const [a, b] = [Number(of(before, key)), Number(of(after, key))]
  const better = (after.results.higher_is_better as Record<string, Record<string, boolean>> | undefined)?.[task]?.[
    metric
  ]
  const higherIsBetter = better ?? METRICS[metric]?.higherIsBetter ?? null
  const told = { task, metric, filter, before: a, after: b, difference: b - a, higherIsBetter }
  const pairs = pairsOf(task, metric, filter, before, after)
  if (pairs.length === 0) {
    const errors = [before, after].map((stored) => Number(of(stored, `${metric}_stderr,${filter}`)))
    const error = Math.sqrt(errors.reduce((sum, value) => sum + value ** 2, 0))
    const [low, high] = [b - a - 1.96 * error, b - a + 1.96 * error]
    return { ...told, low, high, p: twoSided(Math.abs(b - a) / error), pairs: 0, changed: [] }
  }
  const aggregation = aggregationIn(after, task, metric)
  const worth =
    aggregation === 'mean'
      ? ofDifferences(pairs.map(([x, y]) => (y as number) - (x as number)))
      : drawnDifference(aggregation, pairs)
  // A document that only one of them has a number for is in neither.
  const isWhole = [before, after].every((stored) => scoredIn(stored, task, metric, filter).length === pairs.length)
  const side = (place: 0 | 1): number =>
    aggregate(
      aggregation,
      pairs.map((pair) => pair[place]),
    )
  const [x, y] = isWhole ? [a, b] : [side(0), side(1)]
  const common = { ...told, before: x, after: y, difference: y - x }
  const changed = pairs
    .filter(([x, y]) => JSON.stringify(x) !== JSON.stringify(y))
    .map(([x, y, id]) => ({ id, before: x, after: y }))
  return { ...common, ...worth, pairs: pairs.length, changed }
}

function aggregationIn({ results }: StoredResults, task: string, metric: string): string {
  const configs = results.configs as
    | Record<string, { metric_list?: readonly { metric: string; aggregation?: string }[] }>
    | undefined
  const given = configs?.[task]?.metric_list?.find((entry) => entry.metric === metric)?.aggregation
  return given ?? METRICS[metric]?.aggregation ?? 'mean'
}

/** Documents that both scored. InputError where one number stands for two documents. */
function pairsOf(
  task: string,
  metric: string,
  filter: string,
  before: StoredResults,
  after: StoredResults,
): (readonly [MetricValue, MetricValue, number])[] {
  const known = new Map(scoredIn(before, task, metric, filter).map((sample) => [sample.doc_id, sample]))
  return scoredIn(after, task, metric, filter).flatMap((sample) => {
    const other = known.get(sample.doc_id)
    if (other === undefined) return []
    if (JSON.stringify(other.doc) !== JSON.stringify(sample.doc))
      throw new InputError(
        `task ${task}, document ${sample.doc_id}: expected the same one in both evaluations, got two. Were they made from the same data?`,
      )
    return [[other.scores[metric]!, sample.scores[metric]!, sample.doc_id] as const]
  })
}

function scoredIn({ samples }: StoredResults, task: string, metric: string, filter: string): Sample[] {
  return (samples.get(task) ?? []).filter((sample) => sample.filter === filter && sample.scores[metric] !== undefined)
}

/** Of a mean: the interval by its standard error; McNemar's exact test for right and wrong, else signs drawn at random. */
function ofDifferences(differences: readonly number[]): { low: number; high: number; p: number } {
  const middle = mean(differences)
  const error =
    differences.length < 2 ? Number.NaN : sampleStandardDeviation(differences) / Math.sqrt(differences.length)
  const interval = { low: middle - 1.96 * error, high: middle + 1.96 * error }
  const nonZero = differences.filter((value) => value !== 0)
  if (nonZero.every((value) => Math.abs(value) === 1))
    return { ...interval, p: mcNemar(nonZero.filter((value) => value > 0).length, nonZero.length) }
  const random = new PythonRandom(1234)
  const observed = Math.abs(middle * differences.length)
  let asLarge = 0
  for (let i = 0; i < DRAWS; i++) {
    let sum = 0
    for (const value of nonZero) sum += random.random() < 0.5 ? value : -value
    if (Math.abs(sum) >= observed - 1e-12) asLarge++
  }
  return { ...interval, p: (asLarge + 1) / (DRAWS + 1) }
}

/** Both tails of a binomial of one half: `better` of `changed` documents. */
export function mcNemar(better: number, changed: number): number {
  const fewer = Math.min(better, changed - better)
  let term = 0.5 ** changed
  // Too many to start from the end of the tail: the normal with a correction for steps.
  if (term === 0) return twoSided((Math.abs(2 * better - changed) - 1) / Math.sqrt(changed))
  let tail = 0
  for (let k = 0; k <= fewer; k++) {
    tail += term
    term *= (changed - k) / (k + 1)
  }
  return Math.min(1, 2 * tail)
}

/**
 * Of a number that only all documents make: drawn in pairs, the middle 95 % and how often the sign turns. So few pairs are never surer than
 * a test of their signs can be, 2 in 2ⁿ: drawn again, four pairs that agree agree every time.
 */
export function drawnDifference(
  aggregation: string,
  pairs: readonly (readonly [MetricValue, MetricValue, number])[],
): { low: number; high: number; p: number } {
  const draws = 1000
  const random = new PythonRandom(1234)
  const places = new Int32Array(pairs.length)
  const values: number[] = []
  for (let i = 0; i < draws; i++) {
    const chosen = Array.from(random.choiceIndices(pairs.length, places), (place) => pairs[place]!)
    const [a, b] = [0, 1].map((side) =>
      aggregate(
        aggregation,
        chosen.map((pair) => pair[side as 0 | 1]),
      ),
    )
    values.push(b! - a!)
  }
  values.sort((a, b) => a - b)
  const share = (isOne: (value: number) => boolean): number => (values.filter(isOne).length + 1) / (draws + 1)
  const p = Math.min(
    1,
    Math.max(
      2 ** (1 - pairs.length),
      2 *
        Math.min(
          share((value) => value <= 0),
          share((value) => value >= 0),
        ),
    ),
  )
  return { low: values[Math.floor(0.025 * draws)]!, high: values[Math.ceil(0.975 * draws) - 1]!, p }
}

/** The chance of a normal variable beyond ±z (Abramowitz and Stegun 7.1.26, within 1.5e-7). */
function twoSided(z: number): number {
  if (Number.isNaN(z)) return Number.NaN
  const x = Math.max(0, z) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
  return Math.min(1, series * Math.exp(-x * x))
}

/** What a comparison says, in one line. */
export function comparisonLine(comparison: Comparison): string {
  const { task, metric, filter, before, after, difference, low, high, p, pairs } = comparison
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`
  const by = pairs === 0 ? 'from standard errors, without pairs' : counted(pairs, 'pair')
  const interval = Number.isNaN(low) ? '' : ` [${signed(low)}, ${signed(high)}]` // of one pair there is none
  const chance = Number.isNaN(p) ? '' : `, p = ${p.toPrecision(2)}`
  const name = filter === 'none' ? metric : `${metric} (${filter})`
  return `${task} ${name}: ${before.toFixed(4)} → ${after.toFixed(4)}, ${signed(difference)}${interval}${chance}, ${by}: ${verdict(comparison)}`
}

/** In words. */
export function verdict({ difference, low, high, p, higherIsBetter, changed, pairs }: Comparison): string {
  if (pairs > 0 && changed.length === 0) return 'no difference'
  if (Number.isNaN(p) || p >= 0.05 || (low <= 0 && high >= 0)) return 'no more than chance may give'
  if (higherIsBetter === null) return 'more than chance gives'
  return difference > 0 === higherIsBetter ? 'better' : 'worse'
}
