// Mean and variance of every feature that enters a matrix, over the calibration tokens: what FLAP scores by, and what it puts into the
// bias. The matrix is replaced by one that looks and passes on; the model does not know. Padding would be counted: give packed batches.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Layer } from '../../nn/layer.ts'
import type { LinearLike } from '../../nn/linear.ts'
import { noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { type Count, turn, type Watch } from '../../work.ts'

/** Of the input of one matrix, [inFeatures] each, f64. Free both when done. */
export interface FeatureStatistics {
  readonly mean: Tensor
  /** Mean squared distance from the mean. */
  readonly variance: Tensor
}

/** Runs the batches and returns what entered the matrices at `paths`. */
export async function observeInputs(
  model: Decoder,
  paths: readonly string[],
  calibration: readonly Batch[],
  count: Count,
  watch?: Watch,
): Promise<Map<string, FeatureStatistics>> {
  const observers = paths.map((path) => [path, new Observer(model.get(path) as LinearLike, model.device)] as const)
  for (const [path, observer] of observers) model.replace(path, observer)
  const { generator } = model
  model.generator = null
  try {
    for (const batch of calibration) {
      noGrad(() => scope(() => void model.hidden(decoderInput(batch, model.device))))
      count.add()
      await turn(watch)
    }
    return new Map(observers.map(([path, observer]) => [path, observer.statistics()]))
  } finally {
    model.generator = generator
    for (const [path, observer] of observers) {
      model.replace(path, observer.seen)
      observer.forget()
    }
  }
}

/** Acts as the matrix that it holds, and adds up its inputs in f64: a difference of sums needs the digits. */
class Observer extends Layer implements LinearLike {
  readonly seen: LinearLike
  private readonly total: Tensor
  private readonly squares: Tensor
  private tokens = 0

  constructor(seen: LinearLike, device: string) {
    super()
    this.seen = seen
    this.total = ops.zeros([seen.inFeatures], 'f64', null, device).keep()
    this.squares = ops.zeros([seen.inFeatures], 'f64', null, device).keep()
  }

  get inFeatures(): number {
    return this.seen.inFeatures
  }
  get outFeatures(): number {
    return this.seen.outFeatures
  }
  get bias(): Tensor | null {
    return this.seen.bias
  }

  forward(x: Tensor): Tensor {
    scope(() => {
      const rows = x.reshape(-1, this.inFeatures).to('f64')
      this.total.add_(rows.sum(0))
      this.squares.add_(ops.square(rows).sum(0))
      this.tokens += rows.size(0)
    })
    return this.seen.forward(x)
  }

  dense(): Tensor {
    return this.seen.dense()
  }

  statistics(): FeatureStatistics {
    return scope(() => {
      const mean = this.total.div(this.tokens)
      const variance = ops.clampMin(this.squares.div(this.tokens).sub(ops.square(mean)), 0)
      return { mean: mean.keep(), variance: variance.keep() }
    })
  }

  forget(): void {
    this.total.free()
    this.squares.free()
  }
}
