// A matrix as the blocks of a normal-float format, for a quantizer that chooses codes itself: src/nn/quant takes the nearest level.
// Shapes: W [out, in] row by row in blocks of 64, the last one filled up with zeros; scales [blocks], codes [blocks, 64].
import { codebook, codebookValues } from '../../nn/quant/codebook.ts'
import { codeBits, type QuantFormat, resolveSpec } from '../../nn/quant/format.ts'
import { pack } from '../../nn/quant/quantize-weight.ts'
import { fromStored, type QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import { ops, Tensor } from '../../torch/index.ts'

export type NormalFloat = 'nf2' | 'nf3' | 'nf4'

/** True for the formats of this file. */
export function isNormalFloatFormat(format: QuantFormat): format is NormalFloat {
  return format === 'nf2' || format === 'nf3' || format === 'nf4'
}

/** W [out, in] as [blocks, 64] in f32. */
export function blocksOf(weight: Tensor, format: NormalFloat): Tensor {
  const { blockSize } = resolveSpec({ format })
  const flat = weight.to('f32').reshape(-1)
  const missing = -flat.numel & (blockSize - 1)
  const whole = missing === 0 ? flat : ops.cat([flat, ops.zeros([missing], 'f32', null, flat.device)])
  return whole.view(-1, blockSize)
}

/** The nearest code of each value, where 1 is the end of the codebook. */
export function nearestCodes(values: Tensor, format: NormalFloat): Tensor {
  const levels = codebookValues(format)
  const middles = levels.slice(1).map((level, i) => (level + levels[i]!) / 2)
  return ops.bucketize(values.contiguous(), Tensor.from(middles).to(values.device), true)
}

/** The values that codes stand for under a scale of 1, shaped like `codes`. */
export function levelsOf(codes: Tensor, format: NormalFloat): Tensor {
  return codebook(format, codes.device)
    .indexSelect(0, codes.reshape(-1))
    .view(...codes.shape)
}

/** Stores codes [blocks, 64] and scales [blocks] of a matrix of `shape`. */
export function encode(format: NormalFloat, shape: readonly number[], codes: Tensor, scales: Tensor): QuantizedWeight {
  const packed = pack(codes.reshape(-1).to('u8'), codeBits(format))
  return fromStored(
    resolveSpec({ format }),
    shape,
    new Map([
      ['codes', packed],
      ['scales', scales.contiguous()],
    ]),
  )
}
