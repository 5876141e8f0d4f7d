// The vectors of a text's tokens somewhere in the model, for probes, gates and embeddings. Reads one text at a time, without a cache, and
// stops where it is told to.
// Shapes: T tokens, D hidden.

import { UsageError } from '../errors.ts'
import type { HiddenOptions } from '../lm/lm.ts'
import { pool } from '../lm/pool.ts'
import type { Decoder } from '../model/decoder.ts'
import { inference, scope, Tensor } from '../torch/index.ts'
import { notFinite } from './sample.ts'

/**
 * The hidden states of valid `ids` after `layer` blocks, as Hugging Face's `hidden_states` counts them: 0 is what enters the first block,
 * the number of blocks (the default) what leaves the last norm. [D], or [T · D] with `pooling: 'none'`. The first `skip` ids are read and
 * not given out.
 */
export function hiddenStates(
  model: Decoder,
  ids: readonly number[],
  { layer, pooling = 'last', normalize = false }: Pick<HiddenOptions, 'layer' | 'pooling' | 'normalize'> = {},
  skip = 0,
): Float32Array {
  const blocks = model.model.layers.length
  const depth = layer ?? blocks
  checkLayer(depth, blocks)
  if (!['last', 'mean', 'none'].includes(pooling))
    throw new UsageError(`pooling: expected last, mean or none, got ${pooling}`)
  const [width, states] = inference(() =>
    scope(() => {
      const inputIds = Tensor.from(BigInt64Array.from(ids, BigInt), [1, ids.length]).to(model.device)
      const { states, call } = model.enter({ inputIds })
      const all = model.runBlocks(states, call, 0, depth) // [1, T, D]
      const first = pooling === 'last' ? ids.length - 1 : skip
      const wanted = all.narrow(1, first, ids.length - first)
      const last = depth === blocks ? model.model.norm.forward(wanted) : wanted
      return [last.size(-1), last.to('f32').data() as Float32Array] as const
    }),
  )
  const wrong = states.find((value) => !Number.isFinite(value))
  if (wrong !== undefined) throw notFinite(wrong, 'hidden states')
  return pool(states, width, pooling, normalize)
}

/** UsageError for a layer that a model of so many blocks does not have. */
export function checkLayer(layer: number, blocks: number): void {
  if (Number.isInteger(layer) && layer >= 0 && layer <= blocks) return
  throw new UsageError(`layer: expected a whole number from 0 to ${blocks}, got ${layer}`)
}
