// Element types: LibTorch's codes, byte widths, and the typed array that carries each across.

/** Element types of tensors, by their short names. */
export type DType = 'f32' | 'f64' | 'f16' | 'bf16' | 'i64' | 'i32' | 'i16' | 'i8' | 'u8' | 'bool'

/** c10::ScalarType values. */
export const dtypeCode: Record<DType, number> = {
  u8: 0,
  i8: 1,
  i16: 2,
  i32: 3,
  i64: 4,
  f16: 5,
  f32: 6,
  f64: 7,
  bool: 11,
  bf16: 15,
}

const names: Record<number, DType> = Object.fromEntries(
  Object.entries(dtypeCode).map(([name, code]) => [code, name as DType]),
)

/** The name of a c10::ScalarType code. */
export function dtypeOf(code: number): DType {
  const name = names[code]
  if (name === undefined) throw new Error(`LibTorch dtype ${code} is not used by Anneal`)
  return name
}

/** Bytes per element. */
export const dtypeBytes: Record<DType, number> = {
  f32: 4,
  f64: 8,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
}

/** The dtypes that can carry a gradient. */
export function isFloating(dtype: DType): boolean {
  return dtype === 'f32' || dtype === 'f64' || dtype === 'f16' || dtype === 'bf16'
}

/** JavaScript's arrays that a tensor can be made from or read into. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | BigInt64Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array

/** A typed array that fits `count` elements; half precisions come as their 16 raw bits. */
export function arrayFor(dtype: DType, count: number): TypedArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(count)
    case 'f64':
      return new Float64Array(count)
    case 'i64':
      return new BigInt64Array(count)
    case 'i32':
      return new Int32Array(count)
    case 'i16':
      return new Int16Array(count)
    case 'i8':
      return new Int8Array(count)
    case 'u8':
    case 'bool':
      return new Uint8Array(count)
    default:
      return new Uint16Array(count)
  }
}

/** The dtype that a typed array stands for when none is named. */
export function dtypeOfArray(array: TypedArray): DType {
  if (array instanceof Float32Array) return 'f32'
  if (array instanceof Float64Array) return 'f64'
  if (array instanceof BigInt64Array) return 'i64'
  if (array instanceof Int32Array) return 'i32'
  if (array instanceof Int16Array) return 'i16'
  if (array instanceof Int8Array) return 'i8'
  if (array instanceof Uint8Array) return 'u8'
  throw new Error('Uint16Array needs an explicit dtype: f16 or bf16')
}
