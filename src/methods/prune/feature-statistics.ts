// Mean and variance of every feature that enters a matrix, over the calibration tokens: what FLAP scores by, and what it puts into the
// bias. Padding would be counted: give packed batches.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { observeInputs } from '../../probe/observe-inputs.ts'
import { noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { type Count, turn, type Watch } from '../../work.ts'

/** Of the input of one matrix, [inFeatures] each, f64. Free both when done. */
export interface FeatureStatistics {
  readonly mean: Tensor
  /** Mean squared distance from the mean. */
  readonly variance: Tensor
}

/** Runs the batches, without dropout, and returns what entered the matrices at `paths`. */
export async function featureStatistics(
  model: Decoder,
  paths: readonly string[],
  calibration: readonly Batch[],
  count: Count,
  watch?: Watch,
): Promise<Map<string, FeatureStatistics>> {
  const sums = new Map(paths.map((path) => [path, new FeatureSums()]))
  const looks = new Map(Array.from(sums, ([path, sum]) => [path, (x: Tensor) => sum.add(x)]))
  try {
    await observeInputs(model, looks, async () => {
      for (const batch of calibration) {
        const input = (): Tensor => model.hidden(decoderInput(batch, model.device))
        withoutDropout(model, () => noGrad(() => scope(() => void input())))
        count.add()
        await turn(watch)
      }
    })
    return new Map(Array.from(sums, ([path, sum]) => [path, sum.statistics()]))
  } finally {
    for (const sum of sums.values()) sum.free()
  }
}

/** Adds up inputs and their squares in f64: a difference of sums needs the digits. */
class FeatureSums {
  private total: Tensor | null = null
  private squares: Tensor | null = null
  private tokens = 0

  add(x: Tensor): void {
    const rows = x.reshape(-1, x.size(-1)).to('f64')
    this.total ??= ops.zeros([rows.size(1)], 'f64', null, x.device).keep()
    this.squares ??= ops.zeros([rows.size(1)], 'f64', null, x.device).keep()
    this.total.add_(rows.sum(0))
    this.squares.add_(ops.square(rows).sum(0))
    this.tokens += rows.size(0)
  }

  statistics(): FeatureStatistics {
    return scope(() => {
      const mean = this.total!.div(this.tokens)
      const variance = ops.clampMin(this.squares!.div(this.tokens).sub(ops.square(mean)), 0)
      return { mean: mean.keep(), variance: variance.keep() }
    })
  }

  free(): void {
    this.total?.free()
    this.squares?.free()
  }
}
