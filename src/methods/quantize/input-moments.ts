// What the matrices of one block see: Σ xxᵀ over all tokens of the calibration batches, for GPTQ. Blocks come one after the other, so
// that the second moments of one block only are in memory.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Layer } from '../../nn/layer.ts'
import type { Linear, LinearLike } from '../../nn/linear.ts'
import { noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { turn, type Watch } from '../../work.ts'
import { type FormatUnit, linearAt } from './units.ts'

/** Calls `use(path, moment)` for every matrix of the units, [in, in] in f32; the moment is freed after the call. An abort leaves the model whole. */
export async function forEachInputMoment(
  model: Decoder,
  units: readonly FormatUnit[],
  batches: readonly Batch[],
  use: (path: string, moment: Tensor) => void,
  watch?: Watch,
): Promise<void> {
  const states = noGrad(() =>
    batches.map((batch) => scope(() => model.enter(decoderInput(batch, model.device)).states).keep()),
  )
  try {
    for (const block of model.model.layers.keys()) {
      const paths = units.filter((unit) => unit.block === block).flatMap((unit) => unit.paths)
      const recorders = paths.map((path) => new Recorder(linearAt(model, path)))
      try {
        for (const [i, path] of paths.entries()) model.replace(path, recorders[i]!)
        try {
          for (const [i, batch] of batches.entries()) {
            noGrad(() => advance(model, block, batch, states, i))
            await turn(watch)
          }
        } finally {
          for (const [i, path] of paths.entries()) model.replace(path, recorders[i]!.linear)
        }
        for (const [i, path] of paths.entries()) {
          const { moment } = recorders[i]!
          if (moment !== null) use(path, moment)
          await turn(watch)
        }
      } finally {
        for (const { moment } of recorders) moment?.free()
      }
    }
  } finally {
    for (const state of states) state.free()
  }
}

/** One block further with one batch. */
function advance(model: Decoder, block: number, batch: Batch, states: Tensor[], i: number): void {
  const next = scope(() => {
    const { call } = model.enter(decoderInput(batch, model.device))
    return model.runBlocks(states[i]!, call, block, block + 1)
  })
  if (next === states[i]) return
  states[i]!.free()
  states[i] = next.keep()
}

class Recorder extends Layer implements LinearLike {
  readonly linear: Linear
  moment: Tensor | null = null

  constructor(linear: Linear) {
    super()
    this.linear = linear
  }

  get inFeatures(): number {
    return this.linear.inFeatures
  }
  get outFeatures(): number {
    return this.linear.outFeatures
  }

  get bias(): Tensor | null {
    return this.linear.bias
  }

  forward(x: Tensor): Tensor {
    scope(() => {
      const flat = x.reshape(-1, x.size(-1)).to('f32')
      this.moment ??= ops.zeros([flat.size(1), flat.size(1)], 'f32', null, x.device).keep()
      this.moment.add_(flat.t().matmul(flat))
    })
    return this.linear.forward(x)
  }

  dense(): Tensor {
    return this.linear.dense()
  }
}
