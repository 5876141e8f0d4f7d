// The number of a task from those of its documents, and how far it may be off: lm-evaluation-harness's aggregations with its standard errors.
// Where those come from a bootstrap, the draws are its own.

import { ConfigError } from '../errors.ts'
import { bleu } from './metrics/bleu.ts'
import { chrf } from './metrics/chrf.ts'
import {
  binaryF1,
  type LabelMetric,
  type LabelPair,
  macroF1,
  matthewsCorrelation,
  microF1,
} from './metrics/classification.ts'
import { meanOfAll, medianOfAll } from './metrics/of-all.ts'
import { icat, type TermItem, termPercentage } from './metrics/terms.ts'
import {
  type TemplateItem,
  understoodError,
  understoodLanguagesP,
  understoodMean,
  understoodP,
  understoodShare,
} from './metrics/understood.ts'
import { PythonRandom } from './python-random.ts'

/** A value of a document: a number, or a pair that only all documents together make a number of. */
export type MetricValue = number | readonly unknown[]

type Aggregate = (items: readonly MetricValue[]) => number

const numbers = (items: readonly MetricValue[]): readonly number[] => items as readonly number[]
const labels = (items: readonly MetricValue[]): readonly LabelPair[] => items as readonly LabelPair[]
/** [gold or golds, answer] → answers and references. */
const texts = (items: readonly MetricValue[]): [string[], string[][]] => [
  items.map((item) => String((item as readonly unknown[])[1])),
  items.map((item) => [(item as readonly unknown[])[0]].flat().map(String)),
]

/** Python's `sum(items) / len(items)`, in this order. */
export function mean(values: readonly number[]): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

/** The standard deviation of a sample (n − 1). */
export function sampleStandardDeviation(values: readonly number[]): number {
  const middle = mean(values)
  let sum = 0
  for (const value of values) sum += (value - middle) ** 2
  return Math.sqrt(sum / (values.length - 1))
}

/** Σ a / Σ b of pairs. */
function weightedMean(items: readonly MetricValue[]): number {
  let above = 0
  let below = 0
  for (const item of items as readonly (readonly [number, number])[]) {
    above += item[0]
    below += item[1]
  }
  return above / below
}

/** The mean squared distance of the probabilities from the right answer. */
function brierScore(items: readonly MetricValue[]): number {
  return mean(
    (items as readonly (readonly [number, readonly number[]])[]).map(([gold, probabilities]) =>
      probabilities.reduce((sum, p, i) => sum + (p - (i === gold ? 1 : 0)) ** 2, 0),
    ),
  )
}

interface Aggregation {
  of: Aggregate
  /** Whether the standard error is that of the mean, is drawn, is not known, or has a formula of its own (NaN where it says nothing). */
  error: 'mean' | 'bootstrap' | 'none' | Aggregate
  /** The same of pairs of labels, each as often as it came. */
  counted?: LabelMetric
}

const ofLabels = (metric: LabelMetric): Aggregation => ({
  of: (items) => metric(labels(items)),
  error: 'bootstrap',
  counted: metric,
})

const AGGREGATIONS: Readonly<Record<string, Aggregation>> = {
  mean: { of: (items) => mean(numbers(items)), error: 'mean' },
  nanmean: { of: (items) => mean(numbers(items).filter((value) => !Number.isNaN(value))), error: 'bootstrap' },
  median: {
    of: (items) => [...numbers(items)].sort((a, b) => a - b)[Math.floor(items.length / 2)]!,
    error: 'bootstrap',
  },
  perplexity: { of: (items) => Math.exp(-mean(numbers(items))), error: 'bootstrap' },
  weighted_perplexity: { of: (items) => Math.exp(-weightedMean(items)), error: 'none' },
  bits_per_byte: { of: (items) => -weightedMean(items) / Math.LN2, error: 'none' },
  matthews_corrcoef: ofLabels(matthewsCorrelation),
  f1: ofLabels(binaryF1),
  macro_f1: ofLabels(macroF1),
  micro_f1: ofLabels(microF1),
  brier_score: { of: brierScore, error: 'none' },
  bleu: { of: (items) => bleu(...texts(items)), error: 'bootstrap' },
  chrf: { of: (items) => chrf(...texts(items)), error: 'bootstrap' },
  'chrf++': { of: (items) => chrf(...texts(items), 2), error: 'bootstrap' },
  sum: { of: (items) => numbers(items).reduce((total, value) => total + value, 0), error: 'none' },
  mean_of_all: { of: (items) => meanOfAll(items as readonly (readonly number[])[]), error: 'bootstrap' },
  median_of_all: { of: (items) => medianOfAll(items as readonly (readonly number[])[]), error: 'bootstrap' },
  term_percentage: { of: (items) => termPercentage(items as readonly TermItem[]), error: 'bootstrap' },
  icat: { of: (items) => icat(items as readonly TermItem[]), error: 'bootstrap' },
  understood_mean: {
    of: (items) => understoodMean(items as readonly TemplateItem[]),
    error: (items) => understoodError(items as readonly TemplateItem[]),
  },
  understood_p: { of: (items) => understoodP(items as readonly TemplateItem[]), error: 'none' },
  understood_languages_p: { of: (items) => understoodLanguagesP(items as readonly TemplateItem[]), error: 'none' },
  understood_share: { of: (items) => understoodShare(items as readonly TemplateItem[]), error: 'none' },
}
/** They take long and are drawn so often at most: lm-eval's own a hundred times, as there. */
const MOST_DRAWS: Readonly<Record<string, number>> = {
  bleu: 100,
  chrf: 100,
  'chrf++': 100,
  mean_of_all: 1000,
  median_of_all: 1000,
  term_percentage: 1000,
  icat: 1000,
}

/** What metrics are aggregated by where nothing is said, and whether higher is better. */
export const METRICS: Readonly<Record<string, { aggregation: string; higherIsBetter: boolean }>> = {
  ...Object.fromEntries(
    'acc acc_norm acc_bytes acc_mutual_info exact_match likelihood token_f1 rouge1 rouge2 rougeL pct_stereotype'
      .split(' ')
      .map((name) => [name, { aggregation: 'mean', higherIsBetter: true }]),
  ),
  mcc: { aggregation: 'matthews_corrcoef', higherIsBetter: true },
  f1: { aggregation: 'f1', higherIsBetter: true },
  macro_f1: { aggregation: 'macro_f1', higherIsBetter: true },
  micro_f1: { aggregation: 'micro_f1', higherIsBetter: true },
  bleu: { aggregation: 'bleu', higherIsBetter: true },
  chrf: { aggregation: 'chrf', higherIsBetter: true },
  'chrf++': { aggregation: 'chrf++', higherIsBetter: true },
  brier_score: { aggregation: 'brier_score', higherIsBetter: false },
  perplexity: { aggregation: 'perplexity', higherIsBetter: false },
  word_perplexity: { aggregation: 'weighted_perplexity', higherIsBetter: false },
  byte_perplexity: { aggregation: 'weighted_perplexity', higherIsBetter: false },
  bits_per_byte: { aggregation: 'bits_per_byte', higherIsBetter: false },
}

/** The name of the aggregation, if there is one. ConfigError names the task. */
export function checkAggregation(name: string, task: string): string {
  if (Object.hasOwn(AGGREGATIONS, name)) return name
  throw new ConfigError(
    `metric_list of task ${task}: aggregation: expected one of ${Object.keys(AGGREGATIONS).join(', ')}, got '${name}'`,
  )
}

/** The number of all documents. */
export function aggregate(name: string, items: readonly MetricValue[]): number {
  return AGGREGATIONS[name]!.of(items)
}

/** The standard error; `N/A` where none is known, there is one document, or `draws` is 0. */
export function standardError(name: string, items: readonly MetricValue[], draws: number): number | 'N/A' {
  const aggregation = AGGREGATIONS[name]!
  const { error } = aggregation
  if (draws <= 0 || items.length < 2 || error === 'none') return 'N/A'
  if (typeof error === 'function') {
    const own = error(items)
    return Number.isNaN(own) ? 'N/A' : own
  }
  if (error === 'mean') return sampleStandardDeviation(numbers(items)) / Math.sqrt(items.length)
  const drawn = bootstrapError(valueAt(aggregation, items), items.length, Math.min(draws, MOST_DRAWS[name] ?? draws))
  return Number.isNaN(drawn) ? 'N/A' : drawn
}

/** The standard deviation over samples drawn with replacement, in chunks of at most 1000 that are seeded by their number. */
function bootstrapError(valueAtPlaces: (places: Int32Array) => number, length: number, draws: number): number {
  const chunk = Math.min(1000, draws)
  const values: number[] = []
  const places = new Int32Array(length)
  for (let i = 0; i < Math.floor(draws / chunk); i++) {
    const random = new PythonRandom(i)
    for (let j = 0; j < chunk; j++) {
      random.choiceIndices(length, places)
      values.push(valueAtPlaces(places))
    }
  }
  return sampleStandardDeviation(values)
}

/** The number of the items at some places. Of labels there are few pairs, so that each is counted and not read a hundred thousand times. */
function valueAt({ of, counted }: Aggregation, items: readonly MetricValue[]): (places: Int32Array) => number {
  if (counted === undefined) {
    const drawn = items.slice()
    return (places) => {
      for (let k = 0; k < places.length; k++) drawn[k] = items[places[k]!]!
      return of(drawn)
    }
  }
  const pairs: LabelPair[] = []
  const known = new Map<string, number>()
  const pairOf = Int32Array.from(labels(items), (pair) => {
    const key = JSON.stringify(pair)
    const number = known.get(key) ?? pairs.push(pair) - 1
    known.set(key, number)
    return number
  })
  const times = new Int32Array(pairs.length)
  return (places) => {
    times.fill(0)
    for (let k = 0; k < places.length; k++) times[pairOf[places[k]!]!]!++
    return counted(pairs, times)
  }
}
