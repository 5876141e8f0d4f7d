// Numbers of classifications as a whole, from pairs of the right and the given label.

/** A right label and the one that was given. */
export type LabelPair = readonly [gold: string | number, given: string | number]

/** A label for answers that are none of the labels; as a given label it is wrong, and no class of its own. */
export const NO_ANSWER = '[no answer]'

interface Counts {
  right: number
  gold: number
  given: number
}

function countsOf(pairs: readonly LabelPair[]): Map<string | number, Counts> {
  const counts = new Map<string | number, Counts>()
  const of = (label: string | number): Counts => {
    const known = counts.get(label)
    if (known !== undefined) return known
    const made = { right: 0, gold: 0, given: 0 }
    counts.set(label, made)
    return made
  }
  for (const [gold, given] of pairs) {
    of(gold).gold++
    of(given).given++
    if (gold === given) of(gold).right++
  }
  return counts
}

const f1Of = ({ right, gold, given }: Counts): number => (gold + given === 0 ? 0 : (2 * right) / (gold + given))

/** F1 of the class 1 among 0 and 1 (scikit-learn's default). */
export function binaryF1(pairs: readonly LabelPair[]): number {
  return f1Of(countsOf(pairs).get(1) ?? { right: 0, gold: 0, given: 0 })
}

/** The mean F1 over all labels that are right or were given; `[no answer]` is none. */
export function macroF1(pairs: readonly LabelPair[]): number {
  const counts = countsOf(pairs)
  counts.delete(NO_ANSWER)
  const values = Array.from(counts.values(), f1Of)
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** F1 over all decisions together; an answer that is no label counts for recall and not for precision. */
export function microF1(pairs: readonly LabelPair[]): number {
  const right = pairs.filter(([gold, given]) => gold === given).length
  const given = pairs.filter(([, label]) => label !== NO_ANSWER).length
  return right === 0 ? 0 : (2 * right) / (given + pairs.length)
}

/** Matthews' correlation for any number of classes (Gorodkin 2004), in [−1, 1]; 0 where all is one class. */
export function matthewsCorrelation(pairs: readonly LabelPair[]): number {
  const n = pairs.length
  let right = 0
  let goldGiven = 0
  let goldSquares = 0
  let givenSquares = 0
  for (const counts of countsOf(pairs).values()) {
    right += counts.right
    goldGiven += counts.gold * counts.given
    goldSquares += counts.gold ** 2
    givenSquares += counts.given ** 2
  }
  const scale = Math.sqrt((n * n - givenSquares) * (n * n - goldSquares))
  return scale === 0 ? 0 : (right * n - goldGiven) / scale
}
