// A model quantized as it is measured, and what its tensors take.
import type { Decoder } from '../src/model/decoder.ts'
import { quantizeModel } from '../src/model/quantize-model.ts'
import type { Layer } from '../src/nn/layer.ts'
import type { QuantFormat } from '../src/nn/quant/format.ts'

/** Quantizes every matrix of the blocks to `format` and the head to int8: llama.cpp's files of these shapes have it in Q8_0, too. */
export function quantizeForDecoding(model: Decoder, format: QuantFormat): void {
  quantizeModel(model, { format })
  quantizeModel(model, new Map([['lm_head', { format: 'int8' }]]))
}

/** Bytes of all tensors below, each counted once. */
export function tensorBytes(...layers: readonly Layer[]): number {
  const tensors = new Set(layers.flatMap((layer) => Array.from(layer.parameters(), ([, tensor]) => tensor)))
  return [...tensors].reduce((sum, { nbytes }) => sum + nbytes, 0)
}
