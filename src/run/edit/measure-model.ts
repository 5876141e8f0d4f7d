// Two numbers of a model as it stands: its loss on some batches, and the bytes of what is not a quantized matrix.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import { evaluate } from '../../train/evaluate.ts'
import { languageModeling } from '../../train/objective.ts'
import type { Watch } from '../../work.ts'

/** Mean cross-entropy in nats and the tokens it is over; null without batches. */
export async function lossOf(
  model: Decoder,
  batches: readonly Batch[],
  watch?: Watch,
): Promise<{ loss: number; tokens: number } | null> {
  if (batches.length === 0) return null
  const objective = languageModeling()
  const source = { batchesPerEpoch: batches.length, at: (index: number) => batches[index]! }
  return {
    loss: (await evaluate(model, source, objective, {}, watch)).eval_loss!,
    tokens: batches.reduce((sum, batch) => sum + objective.weight(batch), 0),
  }
}

/** Bytes of embeddings, head, norms and biases. */
export function otherBytes(model: Decoder): number {
  let quantized = 0
  for (const [, layer] of model.walk()) if (layer instanceof QuantizedWeight) quantized += layer.bytes
  let all = 0
  for (const [, tensor] of model.parameters()) all += tensor.nbytes
  return all - quantized
}
