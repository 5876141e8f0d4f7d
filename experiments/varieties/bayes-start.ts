// An encoder that begins as naive Bayes: the rows of its embedding say, along a direction for each label, how much more often a token stands in
// texts with the label than in others, and the head reads these directions. Everything is trained from there.
import type { Encoder } from '../../src/model/encoder/encoder.ts'
import { Generator, noGrad, ops, scope, Tensor } from '../../src/torch/index.ts'

/** Length of a row for a log-ratio of 1: small against the root of `norm_eps`, so that norms are nearly linear. */
const STEP = 0.2
const GAIN = 3

/** `isThere[label][text]`: whether a text has a label. Tokens count once a text, with one more of each. */
export function beginAsBayes(
  model: Encoder,
  texts: readonly ArrayLike<number>[],
  isThere: readonly (readonly boolean[])[],
  isContent: (id: number) => boolean,
  seed: number,
): void {
  const { hiddenSize: width, vocabSize } = model.config
  const ratios = isThere.map((own) => logRatios(texts, own, vocabSize, isContent))
  const directions = directionsOf(isThere.length, width, seed)
  const dot = (a: ArrayLike<number>, b: readonly number[]): number =>
    b.reduce((sum, value, i) => sum + value * a[i]!, 0)
  const at = new Map(model.parameters())
  const change = (path: string, edit: (values: Float32Array) => void): void => {
    const tensor = at.get(path)!
    const values = Float32Array.from(tensor.toArray())
    edit(values)
    scope(() => noGrad(() => tensor.copy_(Tensor.from(values, tensor.shape))))
  }
  change('model.embed_tokens.weight', (values) => {
    for (let id = 0; id < vocabSize; id++) {
      const row = values.subarray(id * width, (id + 1) * width)
      for (const [label, direction] of directions.entries()) {
        const own = STEP * ratios[label]![id]! - dot(row, direction)
        for (let i = 0; i < width; i++) row[i]! += own * direction[i]!
      }
    }
  })
  // gelu(a) − gelu(−a) = a, so two rows of the head give a label's sum as it is.
  change('head.dense.weight', (values) => {
    for (const [label, direction] of directions.entries())
      for (const [k, sign] of [1, -1].entries())
        values.set(
          direction.map((value) => sign * GAIN * value),
          (2 * label + k) * width,
        )
  })
  change('head.out.weight', (values) => {
    values.fill(0)
    for (const label of directions.keys())
      for (const [k, sign] of [1, -1].entries()) values[label * width + 2 * label + k] = sign
  })
}

/** Half the logarithm of how much more probable each token is with the label than without. */
function logRatios(
  texts: readonly ArrayLike<number>[],
  own: readonly boolean[],
  vocabSize: number,
  isContent: (id: number) => boolean,
): Float64Array {
  const counts = [new Float64Array(vocabSize).fill(1), new Float64Array(vocabSize).fill(1)] as const
  for (const [i, ids] of texts.entries())
    for (const id of new Set(Array.from(ids))) if (isContent(id)) counts[own[i] ? 1 : 0][id]!++
  const [without, having] = counts.map((each) => each.reduce((a, b) => a + b, 0)) as [number, number]
  return Float64Array.from({ length: vocabSize }, (_, id) =>
    isContent(id) ? 0.5 * Math.log(counts[1][id]! / having / (counts[0][id]! / without)) : 0,
  )
}

/** Orthogonal directions of unit length whose numbers have the mean 0, which a norm takes away. */
function directionsOf(count: number, width: number, seed: number): number[][] {
  const found: number[][] = []
  const drawn = scope(() => ops.normal_(ops.empty([count, width], 'f32'), 0, 1, new Generator(seed)).toArray())
  for (let k = 0; k < count; k++) {
    let own = drawn.slice(k * width, (k + 1) * width)
    const mean = own.reduce((a, b) => a + b, 0) / width
    own = own.map((value) => value - mean)
    for (const other of found) {
      const share = other.reduce((sum, value, i) => sum + value * own[i]!, 0)
      own = own.map((value, i) => value - share * other[i]!)
    }
    const length = Math.hypot(...own)
    found.push(own.map((value) => value / length))
  }
  return found
}
