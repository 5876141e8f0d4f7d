// Tensors ↔ bytes in safetensors files. Reading maps the file into memory: weights are paged in when first used.

import { InputError } from '../../errors.ts'
import { dtypeBytes } from '../../torch/dtype.ts'
import { type DType, ops, type Tensor } from '../../torch/index.ts'
import type { SafetensorsDtype, TensorInfo } from './safetensors.ts'
import type { TensorSource } from './safetensors-write.ts'

const FROM_FILE: Partial<Record<SafetensorsDtype, DType>> = {
  F64: 'f64',
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I64: 'i64',
  I32: 'i32',
  I16: 'i16',
  I8: 'i8',
  U8: 'u8',
  BOOL: 'bool',
}
/** What a safetensors file calls a dtype. */
export const SAFETENSORS_DTYPE: Readonly<Record<DType, SafetensorsDtype>> = Object.fromEntries(
  Object.entries(FROM_FILE).map(([file, ours]) => [ours, file]),
) as Record<DType, SafetensorsDtype>

/** Reads tensors of safetensors files through one private memory map per file. Close it when done; tensors stay valid. */
export class TensorReader {
  private readonly maps = new Map<string, Tensor>()

  /** The tensor at `info`, on the CPU, in the file's dtype. Writing to it does not touch the file. */
  read(name: string, info: TensorInfo, size: number): Tensor {
    const dtype = FROM_FILE[info.dtype]
    if (dtype === undefined)
      throw new InputError(
        `${name} in ${info.file}: expected a dtype that LibTorch computes with, got ${info.dtype}. Convert it first`,
      )
    const count = info.end - info.begin
    if (count === 0) return ops.zeros(info.shape, dtype)
    let map = this.maps.get(info.file)
    if (map === undefined) {
      map = ops.fromFile(info.file, false, size, 'u8').keep()
      this.maps.set(info.file, map)
    }
    const bytes = map.narrow(0, info.begin, count)
    // A view needs elements aligned to their width; files by other writers need not be.
    const aligned = info.begin % dtypeBytes[dtype] === 0 ? bytes : bytes.clone()
    const tensor = dtype === 'bool' ? ops.neScalar(aligned, 0) : ops.viewDtype(aligned, dtype)
    return ops.reshape(tensor, info.shape)
  }

  close(): void {
    for (const map of this.maps.values()) map.free()
    this.maps.clear()
  }
}

/** What the writer needs of a tensor; its bytes are copied out when their turn comes. */
export function tensorSource(name: string, tensor: Tensor): TensorSource {
  return {
    name,
    dtype: SAFETENSORS_DTYPE[tensor.dtype],
    shape: tensor.shape,
    bytes: () => {
      const array = tensor.data()
      return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    },
  }
}
