// The GGUF format, reading side: versions 2 and 3, little-endian. Everything that the header claims is checked before it is
// followed, so that whoever reads bytes [begin, end) of a tensor needs no further check.
// Layout: magic, version, counts · metadata · tensor infos · padding · tensors, each aligned.
// Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md; checks as in llama.cpp's gguf.cpp, which are stricter.

import { closeSync, openSync, readSync } from 'node:fs'
import { lfsPointer } from '../checkpoint/model-directory/foreign-format.ts'
import { InputError } from '../errors.ts'
import { FileCursor } from './file-cursor.ts'
import { GGML_TYPES, type GgmlType, ggmlTypeOf } from './ggml-types.ts'
import {
  DEFAULT_ALIGNMENT,
  type GgufMetadata,
  type GgufValue,
  MAGIC,
  SCALAR_BYTES,
  type ScalarType,
  VALUE_TYPES,
} from './values.ts'

/** Where one tensor lies in the file. */
export interface GgufTensor {
  readonly type: GgmlType
  /** As in PyTorch, slowest dimension first: the reverse of the file's order. */
  readonly shape: readonly number[]
  /** Bytes `[begin, end)` of the file. */
  readonly begin: number
  readonly end: number
}

/** What a GGUF file says about itself. Maps, not objects: a key may be called `__proto__`. */
export interface GgufHeader {
  readonly file: string
  readonly version: number
  readonly alignment: number
  readonly metadata: GgufMetadata
  readonly tensors: Map<string, GgufTensor>
}

const MAX_ENTRIES = 100_000
const MAX_TENSORS = 100_000
const MAX_KEY_BYTES = 65_535
const MAX_STRING_BYTES = 16 << 20
/** Some times the largest vocabulary: a file with a hole may claim more numbers than anybody has the time and memory for. */
const MAX_ARRAY = 1 << 22
/** Strings cost memory of their own: as many as the largest vocabulary. */
const MAX_STRING_ARRAY = 2_000_000
const MAX_NAME_BYTES = 63
const MAX_DIMENSIONS = 4
const MAX_ALIGNMENT = 1 << 20
/** Bytes of metadata and tensor infos; the largest vocabularies take a tenth. */
const MAX_HEADER_BYTES = 256 << 20

/** Reads and checks the header of a GGUF file; throws an InputError, naming the byte, for anything that is not one. `available`: bytes of it that are there. */
export function readGguf(file: string, available?: number): GgufHeader {
  const cursor = new FileCursor(file, available)
  try {
    return readHeader(cursor)
  } finally {
    cursor.close()
  }
}

/** The bytes of a tensor, read now. */
export function readTensorBytes(header: GgufHeader, { begin, end }: GgufTensor): Buffer {
  const bytes = Buffer.allocUnsafe(end - begin)
  const descriptor = openSync(header.file, 'r')
  try {
    for (let filled = 0; filled < bytes.length; ) {
      const count = readSync(descriptor, bytes, filled, Math.min(bytes.length - filled, 1 << 30), begin + filled)
      if (count === 0) {
        throw new InputError(
          `truncated ${header.file}:${begin + filled}: expected ${end} bytes, got fewer than its header promised. Get it again`,
        )
      }
      filled += count
    }
  } finally {
    closeSync(descriptor)
  }
  return bytes
}

function readHeader(cursor: FileCursor): GgufHeader {
  const magic = cursor.u32('magic')
  if (magic === 0x73726576) throw lfsPointer(cursor.file) // `vers`
  if (magic !== MAGIC) cursor.fail('magic', '"GGUF"', `0x${magic.toString(16)}`, 0)
  const version = cursor.u32('version')
  if (version !== 2 && version !== 3) {
    const isSwapped = version > 0xffff
    cursor.fail('version', '2 or 3', isSwapped ? 'a big-endian file' : `${version}`, 4)
  }
  const tensorCount = cursor.count('tensor count', MAX_TENSORS)
  const entryCount = cursor.count('metadata count', MAX_ENTRIES)
  const metadata: GgufMetadata = new Map()
  for (let i = 0; i < entryCount; i++) readEntry(cursor, metadata)
  const alignment = readAlignment(cursor, metadata)
  const infos = Array.from({ length: tensorCount }, () => readInfo(cursor))
  const tensors = new Map<string, GgufTensor>()
  let expected = Math.ceil(cursor.position / alignment) * alignment
  const dataStart = expected
  for (const { name, offset, at, ...info } of infos) {
    if (tensors.has(name)) cursor.fail('tensor name', 'each tensor once', `${JSON.stringify(name)} again`, at)
    const begin = dataStart + offset
    // No hole and no overlap, in the order of the infos: what llama.cpp demands, too.
    if (begin !== expected) cursor.fail(`offset of ${JSON.stringify(name)}`, `${expected - dataStart}`, `${offset}`, at)
    const end = begin + info.bytes
    if (end > cursor.size) {
      cursor.fail(`size of ${JSON.stringify(name)}`, `an end by byte ${cursor.size} of the file`, `${end}`, at)
    }
    tensors.set(name, { type: info.type, shape: info.shape, begin, end })
    expected = Math.ceil(end / alignment) * alignment
  }
  return { file: cursor.file, version, alignment, metadata, tensors }
}

function readEntry(cursor: FileCursor, into: GgufMetadata): void {
  const at = cursor.position
  if (at > MAX_HEADER_BYTES) cursor.fail('header', `at most ${MAX_HEADER_BYTES} bytes`, 'more')
  const key = readString(cursor, 'key', MAX_KEY_BYTES, true)
  if (key === '' || into.has(key)) {
    cursor.fail('key', 'each key once and not empty', key === '' ? 'an empty one' : `${JSON.stringify(key)} again`, at)
  }
  into.set(key, readValue(cursor, readType(cursor, key), key))
}

function readType(cursor: FileCursor, key: string): ScalarType | 'array' {
  const id = cursor.u32('type')
  const type = VALUE_TYPES[id]
  return type ?? cursor.fail(`type of ${JSON.stringify(key)}`, '0 to 12', `${id}`, cursor.position - 4)
}

function readValue(cursor: FileCursor, type: ScalarType | 'array', key: string): GgufValue {
  if (type === 'string') return { type, value: readString(cursor, key, MAX_STRING_BYTES, false) }
  if (type === 'bool') return { type, value: readBoolean(cursor, key) }
  if (type !== 'array') return { type, value: readNumber(cursor.bytes(SCALAR_BYTES[type], key), type) }
  const of = readType(cursor, key)
  if (of === 'array') cursor.fail(`type of ${JSON.stringify(key)}`, 'an array of single values', 'an array of arrays')
  const count = cursor.count(`length of ${JSON.stringify(key)}`, of === 'string' ? MAX_STRING_ARRAY : MAX_ARRAY)
  if (count * SCALAR_BYTES[of] > cursor.remaining) {
    cursor.fail(`length of ${JSON.stringify(key)}`, `at most the ${cursor.remaining} bytes that are left`, `${count}`)
  }
  if (of === 'string') {
    return { type, of, value: Array.from({ length: count }, () => readString(cursor, key, MAX_STRING_BYTES, false)) }
  }
  return { type, of, value: readNumbers(cursor.bytes(count * SCALAR_BYTES[of], key), of, count) }
}

function readNumbers(bytes: Buffer, of: Exclude<ScalarType, 'string'>, count: number): ArrayLike<number | bigint> {
  if (of === 'u8' || of === 'bool') return Uint8Array.from(bytes)
  const Typed = { f32: Float32Array, i32: Int32Array, u32: Uint32Array }[of as string]
  const values: (number | bigint)[] | Float32Array | Int32Array | Uint32Array = new (Typed ?? Array)(count)
  const width = SCALAR_BYTES[of]
  for (let i = 0; i < count; i++) values[i] = readNumber(bytes, of, i * width)
  return values
}

function readNumber(bytes: Buffer, type: Exclude<ScalarType, 'string'>, at = 0): number | bigint {
  switch (type) {
    case 'u8':
    case 'bool':
      return bytes.readUInt8(at)
    case 'i8':
      return bytes.readInt8(at)
    case 'u16':
      return bytes.readUInt16LE(at)
    case 'i16':
      return bytes.readInt16LE(at)
    case 'u32':
      return bytes.readUInt32LE(at)
    case 'i32':
      return bytes.readInt32LE(at)
    case 'f32':
      return bytes.readFloatLE(at)
    case 'f64':
      return bytes.readDoubleLE(at)
    case 'u64':
      return exact(bytes.readBigUInt64LE(at))
    case 'i64':
      return exact(bytes.readBigInt64LE(at))
  }
}

const exact = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value)

function readBoolean(cursor: FileCursor, key: string): boolean {
  const byte = cursor.bytes(1, key).readUInt8()
  return byte > 1 ? cursor.fail(`value of ${JSON.stringify(key)}`, 'true or false', `${byte}`) : byte === 1
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readString(cursor: FileCursor, what: string, limit: number, isName: boolean): string {
  const length = cursor.count(`length of ${what}`, limit)
  const at = cursor.position
  const bytes = cursor.bytes(length, what)
  // Texts of strangers may hold anything; a name that is no UTF-8 could be written in two ways.
  if (!isName) return bytes.toString('utf8')
  try {
    return strict.decode(bytes)
  } catch {
    return cursor.fail(what, 'UTF-8', 'other bytes', at)
  }
}

function readAlignment(cursor: FileCursor, metadata: GgufMetadata): number {
  const entry = metadata.get('general.alignment')
  if (entry === undefined) return DEFAULT_ALIGNMENT
  const { type, value } = entry
  const isPower = typeof value === 'number' && value > 0 && value <= MAX_ALIGNMENT && (value & (value - 1)) === 0
  if (type === 'u32' && isPower) return value
  return cursor.fail('general.alignment', `a u32 power of two up to ${MAX_ALIGNMENT}`, `${type} ${String(value)}`)
}

interface TensorInfo {
  name: string
  type: GgmlType
  shape: number[]
  bytes: number
  /** Counted from the start of the tensors. */
  offset: number
  at: number
}

function readInfo(cursor: FileCursor): TensorInfo {
  const at = cursor.position
  if (at > MAX_HEADER_BYTES) cursor.fail('header', `at most ${MAX_HEADER_BYTES} bytes`, 'more')
  const name = readString(cursor, 'tensor name', MAX_NAME_BYTES, true)
  const what = JSON.stringify(name)
  const dimensions = cursor.u32(`dimensions of ${what}`)
  if (dimensions > MAX_DIMENSIONS)
    cursor.fail(`dimensions of ${what}`, `at most ${MAX_DIMENSIONS}`, `${dimensions}`, at)
  // Bounded by the file before they are multiplied: 16 values to the byte is more than any type packs.
  const limit = 16 * cursor.size
  const sizes = Array.from({ length: dimensions }, () => cursor.count(`shape of ${what}`, limit))
  const id = cursor.u32(`type of ${what}`)
  const type = ggmlTypeOf(id) ?? cursor.fail(`type of ${what}`, 'a known tensor type', `${id}`, cursor.position - 4)
  const { blockSize, blockBytes } = GGML_TYPES[type]
  const columns = sizes[0] ?? 1
  if (columns % blockSize !== 0)
    cursor.fail(`shape of ${what}`, `rows of whole blocks of ${blockSize}`, `${columns}`, at)
  const count = sizes.reduce((product, size) => product * BigInt(size), 1n)
  if (count > BigInt(limit)) cursor.fail(`shape of ${what}`, 'fewer values than the file has room for', `${count}`, at)
  const offset = cursor.count(`offset of ${what}`, cursor.size)
  return { name, type, shape: sizes.reverse(), bytes: (Number(count) / blockSize) * blockBytes, offset, at }
}
