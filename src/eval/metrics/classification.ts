// Numbers of classifications as a whole, from pairs of the right and the given label.
import { LabelCounts } from '../../data/label-counts.ts'

/** A right label and the one that was given. */
export type LabelPair = readonly [gold: string | number, given: string | number]

/** A label for answers that are none of the labels; as a given label it is wrong, and no class of its own. */
export const NO_ANSWER = '[no answer]'

/** A number of pairs; `times` says how often each counts, once where nothing is said. */
export type LabelMetric = (pairs: readonly LabelPair[], times?: ArrayLike<number>) => number

/** The pairs counted by number, and the labels that have these numbers; what counts no time is not there. */
function countsOf(
  pairs: readonly LabelPair[],
  times?: ArrayLike<number>,
): { counts: LabelCounts; labels: (string | number)[] } {
  const there = times === undefined ? pairs : pairs.filter((_, i) => times[i]! > 0)
  const numbers = new Map([...new Set(there.flat())].map((label, number) => [label, number]))
  const counts = new LabelCounts(numbers.size)
  for (const [i, [gold, given]] of pairs.entries()) {
    const count = times?.[i] ?? 1
    if (count > 0) counts.add(numbers.get(gold)!, numbers.get(given)!, count)
  }
  return { counts, labels: [...numbers.keys()] }
}

/** F1 of the class 1 among 0 and 1 (scikit-learn's default). */
export const binaryF1: LabelMetric = (pairs, times) => {
  const { counts, labels } = countsOf(pairs, times)
  return labels.includes(1) ? counts.f1(labels.indexOf(1)) : 0
}

/** The mean F1 over all labels that are right or were given; `[no answer]` is none. */
export const macroF1: LabelMetric = (pairs, times) => {
  const { counts, labels } = countsOf(pairs, times)
  const values = labels.flatMap((label, number) => (label === NO_ANSWER ? [] : [counts.f1(number)]))
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** F1 over all decisions together; an answer that is no label counts for recall and not for precision. */
export const microF1: LabelMetric = (pairs, times) => {
  const sumOf = (isCounted: (pair: LabelPair) => boolean): number =>
    pairs.reduce((sum, pair, i) => sum + (isCounted(pair) ? (times?.[i] ?? 1) : 0), 0)
  const right = sumOf(([gold, given]) => gold === given)
  const given = sumOf(([, label]) => label !== NO_ANSWER)
  return right === 0 ? 0 : (2 * right) / (given + sumOf(() => true))
}

/** Matthews' correlation for any number of classes, in [−1, 1]; 0 where all is one class. */
export const matthewsCorrelation: LabelMetric = (pairs, times) => countsOf(pairs, times).counts.mcc
