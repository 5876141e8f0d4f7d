// A weight matrix → codes and scales. Every code is the nearest one under the scale that decoding will use.
// Codes are packed in runs of 32 so that vector instructions take them apart: 4 bits: 16 bytes, byte i with codes i and i + 16; 2 bits:
// 8 bytes, byte i with codes i, i + 8, i + 16 and i + 24; 3 bits: their low two bits so, then 4 bytes with the third, the first lowest.
import { NonFiniteError, UsageError } from '../../errors.ts'
import { noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { type Codebook, codebook, codebookValues } from './codebook.ts'
import { codeBits, isNormalFloat, type QuantOptions, type QuantSpec, resolveSpec, SCALE_GROUP } from './format.ts'
import { QuantizedWeight } from './quantized-weight.ts'

type Parts = Record<string, Tensor>

/**
 * Quantizes a matrix [out, in] of any floating dtype on the device where it is; the matrix is left as it is. The stored tensors live
 * until `free()`. UsageError for impossible options, NonFiniteError for NaN or infinity among the weights.
 *
 * @example
 * const stored = quantizeWeight(linear.weight, { format: 'nf4', doubleQuant: true })
 * const error = stored.dequantize().sub(linear.weight).norm()
 */
export function quantizeWeight(weight: Tensor, options: QuantOptions): QuantizedWeight {
  const spec = resolveSpec(options)
  const { shape } = weight
  if (shape.length !== 2) throw new UsageError(`quantizeWeight: expected a matrix [out, in], got [${shape}]`)
  return noGrad(() =>
    scope(() => {
      const matrix = weight.to('f32').contiguous()
      if (shape.includes(0) || ops.allAll(ops.isfinite(matrix)).item() === 0)
        throw new NonFiniteError(`weight [${shape}] to quantize: expected finite numbers, got NaN, infinity or none`)
      const parts = isNormalFloat(spec.format)
        ? encodeNormalFloat(matrix, spec)
        : spec.format === 'int8'
          ? encodeInt8(matrix, spec)
          : encodeInt4(matrix, spec)
      for (const part of Object.values(parts)) part.keep()
      return new QuantizedWeight(spec, shape, parts)
    }),
  )
}

function encodeNormalFloat(matrix: Tensor, { format, blockSize, doubleQuant }: QuantSpec): Parts {
  const blocks = padTo(matrix.reshape(-1), blockSize).view(-1, blockSize)
  const absmax = ops.amax(blocks.abs(), [1]) // [blocks]
  const { parts, decoded } = doubleQuant ? encodeScales(absmax) : { parts: { scales: absmax }, decoded: absmax }
  const codes = nearest(divide(blocks, decoded.unsqueeze(1)), format as Codebook)
  return { codes: pack(codes.view(-1), codeBits(format)), ...parts }
}

/** Scales in 8 bits: their mean is taken away, what is left is coded against the largest of each group. */
function encodeScales(scales: Tensor): { parts: Parts; decoded: Tensor } {
  const offset = scales.mean().view(1)
  const groups = padTo(scales.sub(offset), SCALE_GROUP).view(-1, SCALE_GROUP)
  const largest = ops.amax(groups.abs(), [1])
  const codes = nearest(divide(groups, largest.unsqueeze(1)), 'scales')
  const levels = codebook('scales', scales.device).indexSelect(0, codes.view(-1).to('i32'))
  const decoded = levels.view(-1, SCALE_GROUP).mul(largest.unsqueeze(1)).view(-1).add(offset)
  const count = scales.numel
  return {
    parts: { scales: codes.view(-1).narrow(0, 0, count).clone(), scale_scales: largest, scale_offset: offset },
    decoded: decoded.narrow(0, 0, count),
  }
}

function encodeInt8(matrix: Tensor, { blockSize }: QuantSpec): Parts {
  const [rows = 0, columns = 0] = matrix.shape
  const blocks = padTo(matrix, blockSize || columns).view(rows, -1, blockSize || columns) // [out, blocks, B]
  const scales = ops
    .amax(blocks.abs(), [2])
    .div(127)
    .to(blockSize === 0 ? 'f32' : 'bf16')
  const codes = ops.clamp(ops.round(divide(blocks, scales.to('f32').unsqueeze(2))), -127, 127).to('i8')
  return {
    codes: codes.view(rows, -1).narrow(1, 0, columns).clone(),
    scales: blockSize === 0 ? scales.view(rows) : scales,
  }
}

function encodeInt4(matrix: Tensor, { blockSize, symmetric }: QuantSpec): Parts {
  const rows = matrix.size(0)
  const blocks = padTo(matrix, blockSize).view(rows, -1, blockSize) // [out, blocks, B]
  const largest = ops.amax(blocks, [2])
  const smallest = ops.amax(blocks.neg(), [2]).neg()
  const code = (values: Tensor): Tensor => ops.clamp(ops.round(values), 0, 15).to('u8').view(-1)
  const store = (codes: Tensor): Tensor => pack(codes, 4).view(rows, -1)
  if (symmetric) {
    // The number that is largest in magnitude becomes −8, so that no code is left over (llama.cpp's Q4_0).
    const extreme = ops.where(ops.gt(largest, smallest.neg()), largest, smallest)
    const scales = extreme.div(-8).to('bf16')
    return { codes: store(code(divide(blocks, scales.to('f32').unsqueeze(2)).add(8))), scales }
  }
  const mins = smallest.to('bf16')
  const scales = largest.sub(mins.to('f32')).div(15).to('bf16')
  const above = blocks.sub(mins.to('f32').unsqueeze(2))
  return { codes: store(code(divide(above, scales.to('f32').unsqueeze(2)))), scales, mins }
}

/** values / scale, 0 where the scale is 0. */
function divide(values: Tensor, scale: Tensor): Tensor {
  return values.div(ops.where(ops.eqScalar(scale, 0), ops.onesLike(scale), scale))
}

/** The codes [like values] of the nearest entries of a codebook, as u8. */
function nearest(values: Tensor, kind: Codebook): Tensor {
  const levels = codebookValues(kind)
  const middles = levels.slice(1).map((level, i) => (level + levels[i]!) / 2)
  return ops.bucketize(values, Tensor.from(middles).to(values.device), true).to('u8')
}

/** Zeros behind the last dimension up to a multiple of `size`. */
function padTo(tensor: Tensor, size: number): Tensor {
  if (tensor.size(-1) % size === 0) return tensor
  const length = size - (tensor.size(-1) % size)
  const zeros = ops.zeros([...tensor.shape.slice(0, -1), length], tensor.dtype, null, tensor.device)
  return ops.cat([tensor, zeros], -1)
}

/** Codes [n], u8 → bytes [n·bits/8] in the layout above; n is a multiple of 32. */
export function pack(codes: Tensor, bits: number): Tensor {
  if (bits === 4) return join(codes.view(-1, 2, 16), 1, 4).view(-1)
  if (bits === 2) return join(codes.view(-1, 4, 8), 1, 2).view(-1)
  const high = ops.geScalar(codes, 4).to('u8')
  const low = codes.sub(high.mul(4))
  return ops.cat([join(low.view(-1, 4, 8), 1, 2), join(high.view(-1, 4, 8), 2, 1)], 1).view(-1)
}

/** Σᵢ codes[i]·2^(bits·i) over the dimension `dim`, as u8. */
function join(codes: Tensor, dim: number, bits: number): Tensor {
  const at = (i: number): Tensor => codes.select(dim, i).mul(2 ** (bits * i))
  return Array.from({ length: codes.size(dim) }, (_, i) => at(i)).reduce((sum, next) => sum.add(next))
}
