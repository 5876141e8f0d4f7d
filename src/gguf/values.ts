// The values that the metadata of a GGUF file may hold, with the numbers of their types.

/** A type of one value, as named here; `array` is the only compound. */
export type ScalarType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'bool' | 'string' | 'u64' | 'i64' | 'f64'

/** One value with its type. 64-bit integers that a number cannot hold are bigint. */
export type GgufValue =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: Exclude<ScalarType, 'string' | 'bool'>; readonly value: number | bigint }
  | { readonly type: 'array'; readonly of: 'string'; readonly value: readonly string[] }
  | { readonly type: 'array'; readonly of: Exclude<ScalarType, 'string'>; readonly value: ArrayLike<number | bigint> }

/** Metadata by key, in the order of the file. */
export type GgufMetadata = Map<string, GgufValue>

/** Index is the number of the type in the file; 9 is the array. */
export const VALUE_TYPES: readonly (ScalarType | 'array')[] = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
]

/** Bytes of one value; a string takes at least its length field. */
export const SCALAR_BYTES: Readonly<Record<ScalarType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 8,
  u64: 8,
  i64: 8,
  f64: 8,
}

export const MAGIC = 0x46554747 // "GGUF" read as a little-endian u32
export const DEFAULT_ALIGNMENT = 32
