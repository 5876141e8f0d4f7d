// The safetensors format, writing side. One tensor is in memory at a time: sizes follow from dtype and shape, so the header
// is written before any tensor is asked for its bytes. Byte for byte what the reference implementation writes.

import { InputError } from '../../errors.ts'
import { type FileSink, type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { DTYPE_BITS, MAX_HEADER_BYTES, MAX_TENSORS, type SafetensorsDtype, tensorBytes } from './safetensors.ts'

/** A tensor to be written; `bytes` are little-endian and row-major, or a function that gives them when their turn comes. */
export interface TensorSource {
  readonly name: string
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  readonly bytes: Uint8Array | (() => Uint8Array)
}

/** Transformers refuses files without this entry. */
const DEFAULT_METADATA: Readonly<Record<string, string>> = { format: 'pt' }
const ALIGNMENT_ORDER = Object.keys(DTYPE_BITS)

/**
 * Writes tensors to a safetensors file as a whole (temporary file, fsync, rename) and returns its size and sha256. Throws an
 * InputError if a tensor cannot be described in the format or gives another number of bytes than its shape says.
 */
export function writeSafetensors(
  path: string,
  tensors: Iterable<TensorSource>,
  metadata: Readonly<Record<string, string>> = DEFAULT_METADATA,
): WrittenFile {
  // Widest dtype first, so that each tensor is aligned to its elements; then by name, so that equal models are equal files.
  const inOrder = [...tensors].sort((a, b) => alignment(b) - alignment(a) || compareBytes(a.name, b.name))
  const header = describe(path, inOrder, metadata)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const total = inOrder.reduce((sum, tensor) => sum + sourceBytes(tensor, path), length.length + header.length)
  const write = (sink: FileSink): void => {
    sink.write(length)
    sink.write(header)
    for (const tensor of inOrder) writeTensor(path, tensor, sink)
  }
  return writeFileAtomic(path, write, total)
}

/** Bytes that a tensor takes in a file; throws an InputError if its dtype, shape or name cannot be written. */
export function sourceBytes(tensor: TensorSource, path: string): number {
  const where = `${path}:${JSON.stringify(tensor.name)}`
  if (tensor.name === '__metadata__' || !tensor.name.isWellFormed()) {
    throw new InputError(
      `cannot name a tensor in ${where}: expected valid Unicode other than "__metadata__". Rename it`,
    )
  }
  const isShape = tensor.shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  const bytes = isShape && Object.hasOwn(DTYPE_BITS, tensor.dtype) ? tensorBytes(tensor.dtype, tensor.shape) : undefined
  if (bytes !== undefined) return bytes
  throw new InputError(
    `cannot describe a tensor in ${where}: expected a safetensors dtype and whole sizes, got ${tensor.dtype} [${tensor.shape}]. Convert it first`,
  )
}

function describe(path: string, tensors: readonly TensorSource[], metadata: Readonly<Record<string, string>>): Buffer {
  // Built as text, not from an object: an object would reorder names that look like integers.
  const members: string[] = []
  if (Object.keys(metadata).length > 0) members.push(`"__metadata__":${JSON.stringify(metadata)}`)
  const names = new Set<string>()
  let offset = 0
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor
    const end = offset + sourceBytes(tensor, path)
    if (names.has(name)) {
      throw new InputError(
        `cannot write ${path}: expected each tensor once, got ${JSON.stringify(name)} again. Rename one`,
      )
    }
    names.add(name)
    members.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${offset},${end}]}`)
    offset = end
  }
  const json = Buffer.from(`{${members.join(',')}}`, 'utf8')
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')])
  if (padded.length > MAX_HEADER_BYTES || names.size > MAX_TENSORS) {
    throw new InputError(
      `cannot write ${path}: expected at most ${MAX_TENSORS} tensors in a header of ${MAX_HEADER_BYTES} bytes, got ${names.size} in ${padded.length}. Write several files`,
    )
  }
  return padded
}

function writeTensor(path: string, tensor: TensorSource, sink: FileSink): void {
  const bytes = typeof tensor.bytes === 'function' ? tensor.bytes() : tensor.bytes
  const expected = sourceBytes(tensor, path)
  if (bytes.length !== expected) {
    throw new InputError(
      `wrong bytes for a tensor in ${path}:${JSON.stringify(tensor.name)}: expected ${expected} for ${tensor.dtype} [${tensor.shape}], got ${bytes.length}. Give it contiguous and in its own dtype`,
    )
  }
  sink.write(bytes)
}

function alignment(tensor: TensorSource): number {
  return ALIGNMENT_ORDER.indexOf(tensor.dtype)
}

/** Orders as UTF-8 bytes do, like the reference; JavaScript's `<` compares UTF-16 units, which differs above U+FFFF. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'))
}
