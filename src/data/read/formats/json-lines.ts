// JSON Lines (.jsonl, .ndjson): one row a line. A bad line is reported and the next one is read.

import { readChunks } from './chunks.ts'
import { parseJsonRow } from './json-row.ts'
import { type Line, LineSplitter } from './line-splitter.ts'
import type { FileRow, ReadContext } from './read-context.ts'

/** Yields the good rows of a file with one JSON object (or string) a line; blank lines are skipped. */
export async function* readJsonLines(context: ReadContext): AsyncGenerator<FileRow> {
  const splitter = new LineSplitter({ maxLineBytes: context.limits.maxLineBytes })
  for await (const chunk of readChunks(context)) yield* rowsOf(splitter.push(chunk), context)
  yield* rowsOf(splitter.end(), context)
}

function* rowsOf(lines: Line[], context: ReadContext): Generator<FileRow> {
  for (const line of lines) {
    if (isBlank(line.bytes)) continue
    const row = jsonRow(line, context)
    if (row !== undefined) yield row
  }
}

/** The row on a line or in an array element; undefined, and reported, where it is bad. */
export function jsonRow(line: Line, context: ReadContext): FileRow | undefined {
  const { isTooLong, continues, ...place } = line
  const parsed = isTooLong
    ? { reason: 'line-too-long' as const, detail: `limit ${context.limits.maxLineBytes} bytes` }
    : parseJsonRow(line.bytes, context.limits)
  if ('row' in parsed) return { ...place, row: parsed.row }
  context.bad({ ...place, ...parsed })
  return undefined
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09) return false
  return true
}
