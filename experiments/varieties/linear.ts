// The baseline: linear support vector machines, one label against the others, on tf-idf of character 1- to 5-grams inside words, as
// LIBLINEAR's dual coordinate descent finds them (squared hinge; Hsieh et al. 2008). No tensors.

const SIZE = 1 << 20
const LONGEST = 5
/** What a text on the wrong side costs, before labels are balanced. */
const COST = 0.3
const PASSES = 30

type Vector = { places: Int32Array; values: Float64Array }

/** One weight vector for each label: how far on its side a text is. */
export class LinearBaseline {
  private readonly documents = new Float64Array(SIZE)
  private readonly weights: Float64Array[]
  private readonly texts: number

  /** `isThere[label][text]`: whether a text has a label. With `balanced` having one weighs as much in all as not having it. */
  constructor(
    texts: readonly string[],
    isThere: readonly (readonly boolean[])[],
    { balanced = true, seed = 1 }: { balanced?: boolean; seed?: number } = {},
  ) {
    this.texts = texts.length
    const grams = texts.map(gramsOf)
    for (const each of grams) for (const gram of each.keys()) this.documents[gram]!++
    const vectors = grams.map((each) => this.vectorOf(each))
    this.weights = isThere.map((own) => solved(vectors, own, balanced, seed))
  }

  /** Above 0: the text has the label. */
  scores(text: string): number[] {
    const { places, values } = this.vectorOf(gramsOf(text))
    return this.weights.map((weights) => places.reduce((sum, place, i) => sum + weights[place]! * values[i]!, 0))
  }

  /** Of n-grams that two training texts or more have. */
  private vectorOf(grams: Map<number, number>): Vector {
    const known = [...grams].filter(([gram]) => this.documents[gram]! >= 2)
    const values = Float64Array.from(
      known,
      ([gram, count]) => (1 + Math.log(count)) * (1 + Math.log((this.texts + 1) / (this.documents[gram]! + 1))),
    )
    const norm = Math.hypot(...values) || 1
    return { places: Int32Array.from(known, ([gram]) => gram), values: values.map((value) => value / norm) }
  }
}

/** Texts have unit length and one feature more, which is always 1. */
function solved(
  vectors: readonly Vector[],
  isThere: readonly boolean[],
  balanced: boolean,
  seed: number,
): Float64Array {
  const weights = new Float64Array(SIZE)
  const alphas = new Float64Array(vectors.length)
  const there = isThere.filter(Boolean).length
  const share = (own: boolean): number => vectors.length / (2 * (own ? there : vectors.length - there))
  let state = seed >>> 0
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  for (let pass = 0; pass < PASSES; pass++) {
    const order = vectors.map((_, i) => [random(), i] as const).sort((a, b) => a[0] - b[0])
    for (const [, i] of order) {
      const { places, values } = vectors[i]!
      const side = isThere[i]! ? 1 : -1
      const diagonal = 1 / (2 * COST * (balanced ? share(isThere[i]!) : 1))
      let score = 0
      for (let k = 0; k < places.length; k++) score += weights[places[k]!]! * values[k]!
      const gradient = side * score - 1 + diagonal * alphas[i]!
      const next = Math.max(0, alphas[i]! - gradient / (1 + diagonal))
      const step = (next - alphas[i]!) * side
      if (step === 0) continue
      alphas[i] = next
      for (let k = 0; k < places.length; k++) weights[places[k]!]! += step * values[k]!
    }
  }
  return weights
}

/** Character n-grams of the lower-cased words, with their counts, by hash; place 0 is always there. */
function gramsOf(text: string): Map<number, number> {
  const grams = new Map<number, number>([[0, 1]])
  for (const word of text.toLowerCase().split(/\s+/)) {
    const characters = [...` ${word} `].map((character) => character.codePointAt(0)!)
    for (let start = 0; start < characters.length; start++) {
      let hash = 0x811c9dc5
      for (let n = 1; n <= LONGEST && start + n <= characters.length; n++) {
        hash = Math.imul(hash ^ characters[start + n - 1]!, 0x01000193) >>> 0
        const place = 1 + (((hash ^ (hash >>> 13) ^ Math.imul(n, 0x9e3779b1)) >>> 0) % (SIZE - 1))
        grams.set(place, (grams.get(place) ?? 0) + 1)
      }
    }
  }
  return grams
}
