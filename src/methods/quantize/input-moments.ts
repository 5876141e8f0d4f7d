// What the matrices of one block see: Σ xxᵀ over all tokens of the calibration batches, for GPTQ. Blocks come one after the other, so
// that the second moments of one block only are in memory.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { observeInputs } from '../../probe/observe-inputs.ts'
import { noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { turn, type Watch } from '../../work.ts'
import type { FormatUnit } from './units.ts'

/** Calls `use(path, moment)` for every matrix of the units, [in, in] in f32; the moment is freed after the call. An abort leaves the model whole. */
export async function forEachInputMoment(
  model: Decoder,
  units: readonly FormatUnit[],
  batches: readonly Batch[],
  use: (path: string, moment: Tensor) => void,
  watch?: Watch,
): Promise<void> {
  const enter = (batch: Batch): ReturnType<Decoder['enter']> =>
    withoutDropout(model, () => model.enter(decoderInput(batch, model.device)))
  const states = noGrad(() => batches.map((batch) => scope(() => enter(batch).states).keep()))
  try {
    for (const block of model.model.layers.keys()) {
      const paths = units.filter((unit) => unit.block === block).flatMap((unit) => unit.paths)
      const moments = new Map<string, Tensor>()
      try {
        const looks = new Map(paths.map((path) => [path, (x: Tensor) => addMoment(moments, path, x)]))
        await observeInputs(model, looks, async () => {
          for (const [i, batch] of batches.entries()) {
            const next = noGrad(() => scope(() => model.runBlocks(states[i]!, enter(batch).call, block, block + 1)))
            if (next !== states[i]) {
              states[i]!.free()
              states[i] = next.keep()
            }
            await turn(watch)
          }
        })
        for (const path of paths) {
          const moment = moments.get(path)
          if (moment !== undefined) use(path, moment)
          await turn(watch)
        }
      } finally {
        for (const moment of moments.values()) moment.free()
      }
    }
  } finally {
    for (const state of states) state.free()
  }
}

function addMoment(moments: Map<string, Tensor>, path: string, x: Tensor): void {
  const flat = x.reshape(-1, x.size(-1)).to('f32')
  const known = moments.get(path)
  const moment = known ?? ops.zeros([flat.size(1), flat.size(1)], 'f32', null, x.device).keep()
  if (known === undefined) moments.set(path, moment)
  moment.add_(flat.t().matmul(flat))
}
