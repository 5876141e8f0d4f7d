// The safetensors format, reading side: headers only. Whoever needs the numbers maps the file and views
// bytes [begin, end) of it, so a header accepted here must be safe to follow without another check.
// Layout: u64 little-endian length N · N bytes of JSON · the tensors, without holes, to the last byte of the file.
// Format and error cases: github.com/huggingface/safetensors, safetensors/src/tensor.rs.

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { InputError } from '../../errors.ts'
import { refuseForeignFormat } from '../model-directory/foreign-format.ts'
import { JsonScanner, quoted } from './json-scanner.ts'

/** Bits per element of every dtype of the format, in its order of increasing alignment. */
export const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

/** A dtype as safetensors spells it. */
export type SafetensorsDtype = keyof typeof DTYPE_BITS

/** Where one tensor lies: bytes `[begin, end)` of `file`, counted from the start of the file; little-endian, row-major. */
export interface TensorInfo {
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  readonly file: string
  readonly begin: number
  readonly end: number
}

/** What a safetensors file says about itself. Maps, not objects: a tensor may be called `__proto__`. */
export interface SafetensorsHeader {
  readonly tensors: Map<string, TensorInfo>
  readonly metadata: Map<string, string>
}

/** Longest header that is read, in bytes; the reference implementation's limit. */
export const MAX_HEADER_BYTES = 100_000_000
/** Most tensors in one file: 100 000 keep the objects of a hostile header under 64 MB. */
export const MAX_TENSORS = 100_000
const MAX_DIMENSIONS = 64 // LibTorch's own limit

/** Reads and validates the header of a safetensors file; throws an InputError that names the tensor or byte at fault. */
export function readHeader(file: string): SafetensorsHeader {
  const { json, size } = readHeaderBytes(file)
  const dataStart = 8 + json.length
  const scanner = new JsonScanner(json, file, 8, MAX_TENSORS + 1) // and __metadata__
  const metadata = new Map<string, string>()
  const tensors = new Map<string, TensorInfo>()
  scanner.object((name) => {
    if (name === '__metadata__') scanner.object((key) => metadata.set(key, scanner.string()))
    else tensors.set(name, readTensorInfo(scanner, name, file, dataStart))
  })
  scanner.end()
  checkCoverage(file, tensors, dataStart, size)
  return { tensors, metadata }
}

/** Bytes of a tensor of this dtype and shape; undefined if that is no whole number of bytes or not below 2^53. */
export function tensorBytes(dtype: SafetensorsDtype, shape: readonly number[]): number | undefined {
  let bits: number = DTYPE_BITS[dtype]
  for (const size of shape) {
    bits *= size
    // Checked at each step, as the reference does: a later zero does not excuse an overflow.
    if (!Number.isSafeInteger(bits)) return undefined
  }
  return bits % 8 === 0 ? bits / 8 : undefined
}

function readHeaderBytes(file: string): { json: Uint8Array; size: number } {
  let descriptor: number
  try {
    // Asked before opening: opening a named pipe would wait for a writer for ever.
    if (!statSync(file).isFile())
      throw new InputError(`cannot read weights in ${file}: expected a file, got something else`)
    descriptor = openSync(file, 'r')
  } catch (error) {
    if (error instanceof InputError) throw error
    const code = (error as NodeJS.ErrnoException).code
    throw new InputError(`cannot read weights in ${file}: expected a readable file, got ${code}. Check the path`, {
      cause: error,
    })
  }
  try {
    const { size } = fstatSync(descriptor)
    const head = readFully(descriptor, 0, Math.min(size, 32))
    refuseForeignFormat(file, head)
    if (head.length < 8) {
      throw new InputError(
        `truncated safetensors in ${file}:0: expected at least 8 bytes, got ${head.length}. Get it again`,
      )
    }
    const length = Buffer.from(head.buffer, head.byteOffset, 8).readBigUInt64LE()
    if (length > BigInt(MAX_HEADER_BYTES)) {
      throw new InputError(
        `header too large in ${file}:0: expected at most ${MAX_HEADER_BYTES} bytes, got ${length}. Not a safetensors file, or damaged`,
      )
    }
    if (length > BigInt(size - 8)) {
      throw new InputError(
        `truncated safetensors header in ${file}:0: expected ${length} bytes, got ${size - 8}. Get the file again`,
      )
    }
    const json = readFully(descriptor, 8, Number(length))
    if (json[0] !== 0x7b) {
      throw new InputError(
        `invalid header in ${file}:8: expected '{', got ${JSON.stringify(String.fromCharCode(json[0] ?? 0))}. Not a safetensors file, or damaged`,
      )
    }
    return { json, size }
  } finally {
    closeSync(descriptor)
  }
}

function readFully(descriptor: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const count = readSync(descriptor, bytes, filled, length - filled, position + filled)
    if (count === 0) break // The file shrank while it was read; the checks that follow see the missing bytes.
    filled += count
  }
  return bytes.subarray(0, filled)
}

function readTensorInfo(scanner: JsonScanner, name: string, file: string, dataStart: number): TensorInfo {
  let dtype: string | undefined
  let shape: number[] | undefined
  let offsets: number[] | undefined
  scanner.object((field) => {
    if (field === 'dtype') dtype = scanner.string()
    else if (field === 'shape') shape = readIntegers(scanner)
    else if (field === 'data_offsets') offsets = readIntegers(scanner)
    else scanner.fail('dtype, shape or data_offsets', quoted(field))
  })
  const [begin, end] = offsets ?? []
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined || offsets?.length !== 2) {
    scanner.fail(`dtype, shape and two data_offsets for tensor ${quoted(name)}`, 'fewer or more')
  }
  if (!Object.hasOwn(DTYPE_BITS, dtype)) {
    scanner.fail(`a known dtype for tensor ${quoted(name)}`, quoted(dtype))
  }
  return { dtype: dtype as SafetensorsDtype, shape, file, begin: dataStart + begin, end: dataStart + end }
}

function readIntegers(scanner: JsonScanner): number[] {
  const integers: number[] = []
  scanner.array(() => {
    if (integers.length === MAX_DIMENSIONS) scanner.fail(`at most ${MAX_DIMENSIONS} dimensions`, 'more')
    integers.push(scanner.unsignedInteger())
  })
  return integers
}

/** Tensors must follow each other without overlap or hole from the header to the end of the file: no bomb, no polyglot. */
function checkCoverage(file: string, tensors: Map<string, TensorInfo>, dataStart: number, size: number): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let position = dataStart
  for (const [name, { dtype, shape, begin, end }] of inOrder) {
    const where = `${file}:${quoted(name)}`
    if (begin !== position || end < begin) {
      throw new InputError(
        `invalid data_offsets in ${where}: expected to begin at byte ${position - dataStart} of the data, got [${begin - dataStart},${end - dataStart}]. The file is damaged or hostile; get it again`,
      )
    }
    if (tensorBytes(dtype, shape) !== end - begin) {
      throw new InputError(
        `invalid shape in ${where}: expected ${end - begin} bytes as in data_offsets, got ${dtype} [${shape}] = ${tensorBytes(dtype, shape) ?? 'no valid number of'} bytes. The file is damaged or hostile; get it again`,
      )
    }
    position = end
  }
  if (position !== size) {
    throw new InputError(
      `wrong file size in ${file}: expected ${position} bytes as in its header, got ${size}. The file is truncated or has something appended; get it again`,
    )
  }
}
