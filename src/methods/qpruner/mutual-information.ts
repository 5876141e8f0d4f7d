// The paper's importance of a layer: how much its output tells about the model's prediction, I(X; Y) over the tokens of calibration.
// Paper: QPruner, arXiv:2412.11629 (I(X;Y) = Σ p(x,y)·log p(x,y)/(p(x)·p(y)); it does not say how p is estimated). Here, as in a public
// re-implementation, X is the mean of a layer's output over the features, one number for a token, in 16 bins of equal width; Y is the
// predicted token: the 15 most frequent ones and the rest.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { noGrad, scope } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { Count, turn, type Watch } from '../../work.ts'

const BINS = 16

/** I(X_l; Y) in nats for every layer of the model. Tells of `reading layers` in batches. */
export async function layerInformation(model: Decoder, batches: readonly Batch[], watch?: Watch): Promise<number[]> {
  const pooled = model.model.layers.map((): number[] => [])
  const predicted: number[] = []
  const count = new Count(watch, { label: 'reading layers', unit: 'batches', total: batches.length })
  for (const batch of batches) {
    noGrad(() => scope(() => readBatch(model, batch, pooled, predicted)))
    count.add()
    await turn(watch)
  }
  const classes = frequentClasses(predicted, BINS)
  return pooled.map((values) => mutualInformation(equalWidthBins(values, BINS), classes))
}

/** Adds one number for each token to every layer's list, and the predicted token to `predicted`. */
function readBatch(model: Decoder, batch: Batch, pooled: readonly number[][], predicted: number[]): void {
  const { states, call } = withoutDropout(model, () => model.enter(decoderInput(batch, model.device)))
  const x = model.eachBlock(states, call, (block, _, leaving) => {
    for (const value of leaving.to('f32').mean(-1).view(-1).toArray()) pooled[block]!.push(value)
  })
  // One row at a time: logits are large.
  for (let row = 0; row < batch.rows; row++) {
    const last = model.model.norm.forward(x.narrow(0, row, 1))
    for (const id of scope(() => model.logits(last).argmax(-1).view(-1)).toArray()) predicted.push(id)
  }
}

/** I(X; Y) in nats of two lists of class numbers. */
export function mutualInformation(x: readonly number[], y: readonly number[]): number {
  const joint = new Map<string, number>()
  const [countX, countY] = [new Map<number, number>(), new Map<number, number>()]
  const count = <K>(counts: Map<K, number>, key: K): void => void counts.set(key, (counts.get(key) ?? 0) + 1)
  for (const [i, a] of x.entries()) {
    count(joint, `${a} ${y[i]}`)
    count(countX, a)
    count(countY, y[i]!)
  }
  let sum = 0
  for (const [key, together] of joint) {
    const [a = 0, b = 0] = key.split(' ').map(Number)
    sum += (together / x.length) * Math.log((together * x.length) / (countX.get(a)! * countY.get(b)!))
  }
  return Math.max(0, sum)
}

/** Number of the bin between the least and the largest value that each value is in. */
export function equalWidthBins(values: readonly number[], bins: number): number[] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const width = (high - low) / bins
  return values.map((value) => (width > 0 ? Math.min(bins - 1, Math.floor((value - low) / width)) : 0))
}

/** The `count − 1` most frequent numbers keep a class of their own, in order of frequency; all others share the last. */
export function frequentClasses(values: readonly number[], count: number): number[] {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])
  const classOf = new Map(ranked.slice(0, count - 1).map(([value], rank) => [value, rank]))
  return values.map((value) => classOf.get(value) ?? count - 1)
}
