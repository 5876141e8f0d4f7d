// An identifier as one file: a line that says what it is, a header in JSON, and the tables byte by byte.

import { hasCode, InputError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { hashOf } from '../../files/hash.ts'
import { parseJson } from '../../files/read-json.ts'
import { LanguageModel, type LanguageModelParts } from './language-model.ts'

const MAGIC = 'anneal language identifier 1\n'
/** 2^24 rows of 255 labels are more than anybody needs. */
const MAX_BYTES = 2 ** 30

/** Writes it whole or not at all; the same identifier gives the same bytes. */
export function saveLanguageIdentifier(identifier: LanguageModel, file: string): void {
  const { weights, frequencies, scales, biases, ...rest } = identifier.parts
  const tables = Buffer.concat([
    Buffer.from(weights.buffer, weights.byteOffset, weights.length),
    Buffer.from(frequencies.buffer, frequencies.byteOffset, frequencies.length),
  ])
  const header = { ...rest, scales: [...scales], biases: [...biases], sha256: hashOf(tables) }
  writeFileAtomic(file, (sink) => {
    sink.write(`${MAGIC}${JSON.stringify(header)}\n`)
    sink.write(tables)
  })
}

/** Reads what `saveLanguageIdentifier` wrote; InputError for any other file, or one that is cut short or damaged. */
export function loadLanguageIdentifier(file: string): LanguageModel {
  const bytes = read(file)
  if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC)
    throw new InputError(
      `${file}: expected a language identifier of anneal, got something else. Make one with anneal language train`,
    )
  const end = bytes.indexOf(10, MAGIC.length)
  const header = parseJson(bytes.subarray(MAGIC.length, end === -1 ? bytes.length : end).toString('utf8'), file)
  const parts = checked(header as Record<string, unknown>, file)
  const { labels, bits } = parts
  const rows = 2 ** bits
  const tables = bytes.subarray(end + 1)
  const expected = rows * (labels.length + 1)
  if (tables.length !== expected)
    throw new InputError(`${file}: expected ${expected} bytes of weights, got ${tables.length}. Copy the file again`)
  if (hashOf(tables) !== parts.sha256)
    throw new InputError(`${file}: expected weights of the hash in the header, got others. Copy the file again`)
  const table = new Int8Array(tables.buffer, tables.byteOffset, tables.length)
  const { sha256: _, ...rest } = parts
  return new LanguageModel({
    ...rest,
    scales: Float32Array.from(parts.scales),
    biases: Float32Array.from(parts.biases),
    weights: table.slice(0, rows * labels.length),
    frequencies: table.slice(rows * labels.length),
  })
}

type Header = Omit<LanguageModelParts, 'weights' | 'frequencies' | 'scales' | 'biases'> & {
  scales: number[]
  biases: number[]
  sha256: string
}

function checked(header: Record<string, unknown>, file: string): Header {
  const wrong = (field: string, expected: string): never => {
    throw new InputError(
      `${file}:${field}: expected ${expected}, got ${JSON.stringify(header[field])?.slice(0, 60)}. Make the identifier again`,
    )
  }
  const numbers = (value: unknown, length: number): boolean =>
    Array.isArray(value) && value.length === length && value.every((x) => Number.isFinite(x))
  const { labels, bits } = header
  if (!Array.isArray(labels) || labels.length < 2 || !labels.every((label) => typeof label === 'string'))
    return wrong('labels', 'two names or more')
  if (!Number.isInteger(bits) || (bits as number) < 8 || (bits as number) > 24) wrong('bits', 'an integer from 8 to 24')
  for (const field of ['scales', 'biases'])
    if (!numbers(header[field], labels.length)) wrong(field, `${labels.length} numbers`)
  if (!numbers(header.spread, 2)) wrong('spread', 'two numbers')
  for (const field of ['temperature', 'usual', 'frequencyScale'])
    if (!Number.isFinite(header[field])) wrong(field, 'a number')
  for (const field of ['name', 'sha256']) if (typeof header[field] !== 'string') wrong(field, 'a text')
  return header as unknown as Header
}

function read(file: string): Buffer {
  try {
    return readBounded(file, MAX_BYTES)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    throw new InputError(`${file}: expected a language identifier, got nothing. Check the path`, { cause: error })
  }
}
