// Looks a Parquet file over before it is decoded. A valid file of 42 kB can declare petabytes, and the decoder believes
// every count it reads; so sizes, value counts and run lengths of the wanted columns are checked against limits first.
// Page layout: https://parquet.apache.org/docs/file-format/data-pages/

import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { ColumnMetaData, Compressors, FileMetaData, PageHeader, SchemaTree } from 'hyparquet'
import { parquetSchema } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'
import { decompressPage } from 'hyparquet/src/datapage.js'
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js'
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath } from 'hyparquet/src/schema.js'
import { readVarInt } from 'hyparquet/src/thrift.js'
import { compressors, decompressZstd } from 'hyparquet-compressors'
import { InputError } from '../../../errors.ts'
import type { DataLimits } from '../limits.ts'

/** Decompressors that never produce more than the page header says. */
export const boundedCompressors: Compressors = {
  ...compressors,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: length }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: length }),
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
}

/** A page header longer than this is not one; also bounds what a number without end can cost. */
const MAX_HEADER_BYTES = 64 * 1024
/** Bit-packed runs come in groups of 8, at most 63 groups, and the last one may be padded. */
const RUN_SLACK = 504

/** Throws InputError unless the declared sizes of one row group's columns are within the limits and the file. */
export function checkRowGroup(
  file: string,
  fileBytes: number,
  metadata: FileMetaData,
  group: number,
  columns: readonly string[],
  limits: DataLimits,
): ColumnMetaData[] {
  const { columns: chunks, num_rows } = metadata.row_groups[group]!
  refuseAbove(file, `rows of row group ${group}`, Number(num_rows), limits.maxRowGroupValues)
  const wanted: ColumnMetaData[] = []
  let expanded = 0
  for (const { meta_data: column, file_path } of chunks) {
    if (column === undefined || !columns.includes(column.path_in_schema[0] ?? '')) continue
    if (file_path !== undefined) throw new Error('the column is stored in another file')
    const start = Number(column.dictionary_page_offset ?? column.data_page_offset)
    const bytes = Number(column.total_compressed_size)
    if (!(start >= 0 && bytes >= 0 && start + bytes <= fileBytes)) {
      throw new Error(`column ${column.path_in_schema.join('.')} lies outside the file`)
    }
    expanded += Math.max(bytes, Number(column.total_uncompressed_size))
    refuseAbove(file, `values of row group ${group}`, Number(column.num_values), limits.maxRowGroupValues)
    wanted.push(column)
  }
  refuseAbove(file, `expanded size of row group ${group}`, expanded, limits.maxRowGroupBytes)
  const fair = Math.max(limits.freeExpansionBytes, limits.maxExpansion * fileBytes)
  refuseAbove(file, `expanded size of row group ${group}`, expanded, fair)
  return wanted
}

/** Walks the pages of one column chunk and throws unless decoding them stays within the limits. */
export function checkPages(
  file: string,
  chunk: ArrayBuffer,
  column: ColumnMetaData,
  metadata: FileMetaData,
  limits: DataLimits,
): void {
  const path = getTreePath(parquetSchema(metadata), column.path_in_schema)
  let values = 0
  let expanded = 0
  let offset = 0
  while (offset < chunk.byteLength - 1) {
    const window = new DataView(chunk, offset, Math.min(MAX_HEADER_BYTES, chunk.byteLength - offset))
    const reader = { view: window, offset: 0 }
    const header = parquetHeader(reader)
    offset += reader.offset
    const { compressed_page_size, uncompressed_page_size } = header
    if (
      !(compressed_page_size >= 0 && offset + compressed_page_size <= chunk.byteLength && uncompressed_page_size >= 0)
    ) {
      throw new Error(`a page of ${column.path_in_schema.join('.')} lies outside its column`)
    }
    const name = `column ${column.path_in_schema.join('.')}`
    expanded += uncompressed_page_size
    refuseAbove(file, `expanded size of ${name}`, expanded, limits.maxRowGroupBytes)
    values += numValues(header)
    refuseAbove(file, `values of ${name}`, values, limits.maxRowGroupValues)
    checkPage(new Uint8Array(chunk, offset, compressed_page_size), header, column, path, limits)
    offset += compressed_page_size
  }
}

function numValues({ data_page_header, data_page_header_v2, dictionary_page_header }: PageHeader): number {
  const count = (data_page_header ?? data_page_header_v2 ?? dictionary_page_header)?.num_values ?? 0
  if (!(count >= 0)) throw new Error(`a page has ${count} values`)
  return count
}

/** Checks the runs of the levels and of the dictionary indices: one run of four bytes can claim 2^31 values. */
function checkPage(
  bytes: Uint8Array,
  header: PageHeader,
  column: ColumnMetaData,
  path: SchemaTree[],
  limits: DataLimits,
): void {
  const maxRepetition = path.length > 1 ? getMaxRepetitionLevel(path) : 0
  const maxDefinition = getMaxDefinitionLevel(path)
  const count = numValues(header)
  const v1 = header.data_page_header
  const v2 = header.data_page_header_v2
  if (v1 !== undefined) {
    const page = decompressPage(bytes, header.uncompressed_page_size, column.codec, boundedCompressors)
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
    let offset = 0
    for (const level of [maxRepetition, maxDefinition]) {
      if (level === 0) continue
      const length = view.getUint32(offset, true)
      checkRuns(view, offset + 4, bitWidth(level), count)
      offset += 4 + length
    }
    checkValues(view, offset, v1.encoding, column, count, limits)
  } else if (v2 !== undefined) {
    const repetitionBytes = v2.repetition_levels_byte_length
    const levelBytes = repetitionBytes + v2.definition_levels_byte_length
    const levels = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (maxRepetition > 0) checkRuns(levels, 0, bitWidth(maxRepetition), count)
    if (maxDefinition > 0) checkRuns(levels, repetitionBytes, bitWidth(maxDefinition), count)
    const body = bytes.subarray(levelBytes)
    const page =
      v2.is_compressed === false
        ? body
        : decompressPage(body, header.uncompressed_page_size - levelBytes, column.codec, boundedCompressors)
    checkValues(new DataView(page.buffer, page.byteOffset, page.byteLength), 0, v2.encoding, column, count, limits)
  }
}

function checkValues(
  view: DataView,
  offset: number,
  encoding: string,
  column: ColumnMetaData,
  count: number,
  limits: DataLimits,
): void {
  if (offset >= view.byteLength) return
  if (encoding.endsWith('_DICTIONARY')) {
    checkRuns(view, offset + 1, view.getUint8(offset), count)
  } else if (encoding === 'RLE' && column.type === 'BOOLEAN') {
    checkRuns(view, offset + 4, 1, count)
  } else if (encoding === 'DELTA_BYTE_ARRAY') {
    // Each value may repeat the one before and add a byte: a few bytes a value grow to the square.
    const prefixes = new Int32Array(count)
    deltaBinaryUnpack({ view, offset }, count, prefixes)
    const expanded = prefixes.reduce((sum, length) => sum + length, view.byteLength)
    if (expanded > limits.maxRowGroupBytes) throw new Error(`delta-encoded strings expand to ${expanded} bytes`)
  }
}

/** Follows the runs of the RLE and bit-packed hybrid and throws at one longer than the page has values. */
function checkRuns(view: DataView, start: number, width: number, count: number): void {
  const reader = { view, offset: start }
  if (width > 32) throw new Error(`runs of ${width} bits`)
  for (let seen = 0; seen < count && reader.offset < view.byteLength; ) {
    const header = readVarInt(reader)
    const isPacked = (header & 1) === 1
    const length = isPacked ? (header >>> 1) * 8 : header >>> 1
    if (length > count + RUN_SLACK) throw new Error(`a run of ${length} values in a page of ${count}`)
    reader.offset += isPacked ? (length / 8) * width : (width + 7) >> 3
    seen += length
  }
}

function bitWidth(level: number): number {
  return 32 - Math.clz32(level)
}

function refuseAbove(file: string, what: string, value: number, limit: number): void {
  if (value <= limit) return
  throw new InputError(
    `${what} in ${file}: expected at most ${limit}, got ${value}. ` +
      'This looks like a decompression bomb; write smaller row groups if it is real data',
  )
}
