// The GGUF format, writing side: version 3, alignment 32. Sizes follow from types and shapes, so the header is written before
// any tensor is asked for its bytes, and one tensor is in memory at a time. The file is there whole or not at all.

import { InputError } from '../errors.ts'
import { type FileSink, type WrittenFile, writeFileAtomic, writeFileInTurns } from '../files/atomic-write.ts'
import { fitsBlocks, GGML_TYPES, type GgmlType, ggmlBytes } from './ggml-types.ts'
import {
  DEFAULT_ALIGNMENT,
  type GgufMetadata,
  type GgufValue,
  MAGIC,
  SCALAR_BYTES,
  type ScalarType,
  VALUE_TYPES,
} from './values.ts'

/** A tensor to be written. */
export interface GgufTensorSource {
  readonly name: string
  readonly type: GgmlType
  /** As in PyTorch, slowest dimension first. */
  readonly shape: readonly number[]
  /** The blocks in order, asked for when their turn comes; an iterable writes a tensor in pieces. */
  readonly bytes: () => Uint8Array | Iterable<Uint8Array>
}

/** Writes metadata and tensors to `path`. */
export function writeGguf(path: string, metadata: GgufMetadata, tensors: readonly GgufTensorSource[]): WrittenFile {
  const { parts, total } = partsOf(path, metadata, tensors)
  return writeFileAtomic(
    path,
    (sink) => {
      for (const write of parts) write(sink)
    },
    total,
  )
}

/** The same, waiting for `onTensor` after each tensor, which gets the bytes written so far; when it throws, there is no file. */
export async function writeGgufInTurns(
  path: string,
  metadata: GgufMetadata,
  tensors: readonly GgufTensorSource[],
  onTensor: (bytes: number) => Promise<void>,
): Promise<WrittenFile> {
  const { parts, total } = partsOf(path, metadata, tensors)
  const write = async (sink: FileSink): Promise<void> => {
    for (const part of parts) {
      part(sink)
      await onTensor(sink.size)
    }
  }
  return writeFileInTurns(path, write, total)
}

/** What writes the header and each tensor, in order, and the bytes of them all. */
function partsOf(
  path: string,
  metadata: GgufMetadata,
  tensors: readonly GgufTensorSource[],
): { parts: ((sink: FileSink) => void)[]; total: number } {
  const header = describe(path, metadata, tensors)
  const total = tensors.reduce((sum, tensor) => sum + padded(sizeOf(tensor)), header.length)
  const ofTensor = (tensor: GgufTensorSource, sink: FileSink): void => {
    const { size } = sink
    const given = tensor.bytes()
    for (const bytes of given instanceof Uint8Array ? [given] : given) sink.write(bytes)
    const expected = sizeOf(tensor)
    if (sink.size - size !== expected) {
      throw new InputError(
        `wrong bytes for a tensor in ${path}:${tensor.name}: expected ${expected} for ${tensor.type} [${tensor.shape}], got ${sink.size - size}`,
      )
    }
    sink.write(new Uint8Array(padded(expected) - expected))
  }
  return {
    parts: [(sink) => sink.write(header), ...tensors.map((tensor) => (sink: FileSink) => ofTensor(tensor, sink))],
    total,
  }
}

const padded = (bytes: number): number => Math.ceil(bytes / DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT

const countOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)

const sizeOf = ({ type, shape }: GgufTensorSource): number => ggmlBytes(type, countOf(shape))

function describe(path: string, metadata: GgufMetadata, tensors: readonly GgufTensorSource[]): Buffer {
  const parts: Buffer[] = [integer(MAGIC, 4), integer(3, 4), integer(tensors.length, 8), integer(metadata.size, 8)]
  for (const [key, value] of metadata) parts.push(text(key), ...entry(value))
  const names = new Set<string>()
  let offset = 0
  for (const tensor of tensors) {
    const { name, type, shape } = tensor
    const isNamed = name !== '' && Buffer.byteLength(name) < 64 && !names.has(name)
    if (!isNamed || shape.length > 4 || !fitsBlocks(type, shape.at(-1) ?? 1)) {
      throw new InputError(
        `cannot write ${path}:${name}: expected a new name of 1 to 63 bytes and rows of whole blocks of ${GGML_TYPES[type].blockSize}, got ${type} [${shape}]`,
      )
    }
    names.add(name)
    const dimensions = [...shape].reverse().map((size) => integer(size, 8))
    parts.push(text(name), integer(shape.length, 4), ...dimensions, integer(GGML_TYPES[type].id, 4), integer(offset, 8))
    offset += padded(sizeOf(tensor))
  }
  const header = Buffer.concat(parts)
  return Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length)])
}

function entry(value: GgufValue): Buffer[] {
  const type = integer(VALUE_TYPES.indexOf(value.type), 4)
  if (value.type === 'string') return [type, text(value.value)]
  if (value.type === 'bool') return [type, scalars([Number(value.value)], value.type)]
  if (value.type !== 'array') return [type, scalars([value.value], value.type)]
  const head = [type, integer(VALUE_TYPES.indexOf(value.of), 4), integer(value.value.length, 8)]
  return [...head, value.of === 'string' ? texts(value.value) : scalars(value.value, value.of)]
}

function scalars(values: ArrayLike<number | bigint>, type: Exclude<ScalarType, 'string'>): Buffer {
  const width = SCALAR_BYTES[type]
  const buffer = Buffer.alloc(values.length * width)
  for (let i = 0; i < values.length; i++) {
    const at = i * width
    const value = Number(values[i])
    if (type === 'f32') buffer.writeFloatLE(value, at)
    else if (type === 'f64') buffer.writeDoubleLE(value, at)
    else if (type === 'u64') buffer.writeBigUInt64LE(BigInt(values[i]!), at)
    else if (type === 'i64') buffer.writeBigInt64LE(BigInt(values[i]!), at)
    else if (type.startsWith('i')) buffer.writeIntLE(value, at, width)
    else buffer.writeUIntLE(value, at, width)
  }
  return buffer
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8')
  return Buffer.concat([integer(bytes.length, 8), bytes])
}

const texts = (values: readonly string[]): Buffer => Buffer.concat(values.map(text))

function integer(value: number, width: 4 | 8): Buffer {
  const buffer = Buffer.alloc(width)
  if (width === 4) buffer.writeUInt32LE(value)
  else buffer.writeBigUInt64LE(BigInt(value))
  return buffer
}
