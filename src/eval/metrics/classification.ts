// Numbers of classifications as a whole, from pairs of the right and the given label.
import { LabelCounts } from '../../data/label-counts.ts'

/** A right label and the one that was given. */
export type LabelPair = readonly [gold: string | number, given: string | number]

/** A label for answers that are none of the labels; as a given label it is wrong, and no class of its own. */
export const NO_ANSWER = '[no answer]'

/** The pairs counted by number, and the labels that have these numbers. */
function countsOf(pairs: readonly LabelPair[]): { counts: LabelCounts; labels: (string | number)[] } {
  const numbers = new Map([...new Set(pairs.flat())].map((label, number) => [label, number]))
  const counts = new LabelCounts(numbers.size)
  for (const [gold, given] of pairs) counts.add(numbers.get(gold)!, numbers.get(given)!)
  return { counts, labels: [...numbers.keys()] }
}

/** F1 of the class 1 among 0 and 1 (scikit-learn's default). */
export function binaryF1(pairs: readonly LabelPair[]): number {
  const { counts, labels } = countsOf(pairs)
  return labels.includes(1) ? counts.f1(labels.indexOf(1)) : 0
}

/** The mean F1 over all labels that are right or were given; `[no answer]` is none. */
export function macroF1(pairs: readonly LabelPair[]): number {
  const { counts, labels } = countsOf(pairs)
  const values = labels.flatMap((label, number) => (label === NO_ANSWER ? [] : [counts.f1(number)]))
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** F1 over all decisions together; an answer that is no label counts for recall and not for precision. */
export function microF1(pairs: readonly LabelPair[]): number {
  const right = pairs.filter(([gold, given]) => gold === given).length
  const given = pairs.filter(([, label]) => label !== NO_ANSWER).length
  return right === 0 ? 0 : (2 * right) / (given + pairs.length)
}

/** Matthews' correlation for any number of classes, in [−1, 1]; 0 where all is one class. */
export function matthewsCorrelation(pairs: readonly LabelPair[]): number {
  return countsOf(pairs).counts.mcc
}
