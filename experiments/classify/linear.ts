// The baseline: logistic regression on tf-idf of character n-grams, hashed, by AdaGrad. No tensors.
import { LabelCounts } from '../../src/data/label-counts.ts'

const SIZE = 1 << 19
const [SHORTEST, LONGEST] = [1, 5]

export interface Row {
  text: string
  label: number
}

/** Fits on `train` and counts what it says of `held`. */
export function linearBaseline(train: readonly Row[], held: readonly Row[], labels: number, seed: number): LabelCounts {
  const document = new Float32Array(SIZE)
  const raw = train.map(({ text }) => gramsOf(text))
  for (const grams of raw) for (const gram of grams.keys()) document[gram]!++
  const vector = (grams: Map<number, number>): [number, number][] => {
    const entries = [...grams].map(([gram, count]): [number, number] => [
      gram,
      (1 + Math.log(count)) * Math.log((train.length + 1) / (document[gram]! + 1)),
    ])
    const length = Math.hypot(...entries.map(([, value]) => value)) || 1
    return entries.map(([gram, value]) => [gram, value / length])
  }
  const vectors = raw.map(vector)
  const weights = Array.from({ length: labels }, () => new Float64Array(SIZE))
  const squares = Array.from({ length: labels }, () => new Float64Array(SIZE).fill(1e-8))
  const scoresOf = (x: [number, number][]): number[] => {
    const scores = weights.map((row) => x.reduce((sum, [gram, value]) => sum + row[gram]! * value, 0))
    const highest = Math.max(...scores)
    const exp = scores.map((score) => Math.exp(score - highest))
    const sum = exp.reduce((a, b) => a + b, 0)
    return exp.map((value) => value / sum)
  }
  let state = seed + 1
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const counts = Array.from({ length: labels }, (_, label) => train.filter((row) => row.label === label).length)
  for (let epoch = 0; epoch < 15; epoch++) {
    const order = vectors.map((_, i) => [random(), i] as const).sort((a, b) => a[0] - b[0])
    for (const [, i] of order) {
      const x = vectors[i]!
      const label = train[i]!.label
      const balance = train.length / (labels * counts[label]!)
      for (const [k, p] of scoresOf(x).entries()) {
        const error = balance * (p - (k === label ? 1 : 0))
        for (const [gram, value] of x) {
          const gradient = error * value
          squares[k]![gram]! += gradient ** 2
          weights[k]![gram]! -= (0.5 * gradient) / Math.sqrt(squares[k]![gram]!)
        }
      }
    }
  }
  const result = new LabelCounts(labels)
  for (const { text, label } of held) {
    const scores = scoresOf(vector(gramsOf(text)))
    result.add(label, scores.indexOf(Math.max(...scores)))
  }
  return result
}

/** Character n-grams of the lower-cased text, with their counts, by hash. */
function gramsOf(text: string): Map<number, number> {
  const characters = [...` ${text.toLowerCase()} `].map((character) => character.codePointAt(0)!)
  const grams = new Map<number, number>()
  for (let start = 0; start < characters.length; start++) {
    let hash = 0x811c9dc5
    for (let n = 1; n <= LONGEST && start + n <= characters.length; n++) {
      hash = Math.imul(hash ^ characters[start + n - 1]!, 0x01000193) >>> 0
      if (n < SHORTEST) continue
      const place = (hash ^ (hash >>> 13) ^ n) & (SIZE - 1)
      grams.set(place, (grams.get(place) ?? 0) + 1)
    }
  }
  return grams
}
