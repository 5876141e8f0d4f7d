// A .json file that is one array of rows, or one object that holds the array, read row by row without holding the array.
// Only the brackets and strings are followed here; each element is parsed like a line of JSON Lines.

import { InputError } from '../../../errors.ts'
import { readChunks } from './chunks.ts'
import { jsonRow } from './json-lines.ts'
import type { Line } from './line-splitter.ts'
import type { FileRow, ReadContext } from './read-context.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const COMMA = 0x2c
const LINE_FEED = 0x0a
const HEAD_BYTES = 256

/** Yields the good elements. Throws InputError at the end of a file whose array is not closed: what follows is lost. */
export async function* readJsonArray(context: ReadContext, isWrapped = false): AsyncGenerator<FileRow> {
  const splitter = new ArraySplitter(context.limits.maxLineBytes, isWrapped)
  let rows = 0
  for await (const chunk of readChunks(context)) {
    for (const element of splitter.push(chunk)) {
      const row = jsonRow(element, context)
      if (row === undefined) continue
      rows++
      yield row
    }
  }
  if (splitter.hasMore) context.notice(`${context.file}: what follows its first list is not read`)
  if (splitter.isComplete) return
  const { offset, line } = splitter.place
  throw new InputError(
    `JSON array in ${context.file}:${line} (byte ${offset}): expected its closing ], got the end of the file after ` +
      `${rows} rows. The file is cut short, or a bracket or quote is missing in the row that starts there`,
  )
}

/** Cuts the elements out of `[ …, … ]`, whatever the chunks; where it is wrapped, out of the first array and of that alone. */
export class ArraySplitter {
  isComplete = false
  /** Something other than closing braces follows the wrapped array. */
  hasMore = false
  private readonly isWrapped: boolean
  private readonly maxElementBytes: number
  private depth = 0
  private isInString = false
  private isEscaped = false
  private offset = 0
  private line = 1
  /** Where the current element starts: chunk index (−1 between elements), and offset and line in the file. */
  private start = -1
  private startOffset = 0
  private startLine = 1
  private pieces: Buffer[] = []
  private pieceBytes = 0

  constructor(maxElementBytes: number, isWrapped = false) {
    this.maxElementBytes = maxElementBytes
    this.isWrapped = isWrapped
  }

  /** Start of the element being read. */
  get place(): { offset: number; line: number } {
    return { offset: this.startOffset, line: this.startLine }
  }

  push(chunk: Buffer): Line[] {
    const elements: Line[] = []
    if (this.start !== -1) this.start = 0
    for (let i = 0; i < chunk.length; i++) this.step(chunk, i, elements)
    if (this.start !== -1) this.keep(chunk.subarray(this.start))
    this.offset += chunk.length
    return elements
  }

  private step(chunk: Buffer, i: number, elements: Line[]): void {
    const byte = chunk[i]!
    if (byte === LINE_FEED) this.line++
    if (this.isWrapped && this.isComplete) {
      if (byte > 0x20 && byte !== CLOSE_BRACE) this.hasMore = true
      return
    }
    if (this.isInString) {
      if (this.isEscaped) this.isEscaped = false
      else if (byte === BACKSLASH) this.isEscaped = true
      else if (byte === QUOTE) this.isInString = false
      return
    }
    const endsElement = this.depth === 1 && (byte === COMMA || byte === CLOSE_BRACKET)
    if (endsElement) {
      if (this.start !== -1) elements.push(this.take(chunk, i))
    } else if (this.depth > 0 && this.start === -1 && byte > 0x20) {
      this.start = i
      this.startOffset = this.offset + i
      this.startLine = this.line
    }
    if (byte === QUOTE) this.isInString = true
    else if (this.isWrapped && this.depth === 0 && byte !== OPEN_BRACKET) return
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) this.depth++
    else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) this.depth--
    if (this.depth === 0 && byte === CLOSE_BRACKET) this.isComplete = true
  }

  private take(chunk: Buffer, end: number): Line {
    this.keep(chunk.subarray(this.start, end))
    const bytes = this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces)
    const length = this.offset + end - this.startOffset
    const element: Line = { bytes, offset: this.startOffset, line: this.startLine, length }
    if (length > bytes.length) element.isTooLong = true
    this.start = -1
    this.pieces = []
    this.pieceBytes = 0
    return element
  }

  private keep(piece: Buffer): void {
    const isDropping = this.pieceBytes > this.maxElementBytes
    this.pieceBytes += piece.length
    if (isDropping) return
    this.pieces.push(piece)
    if (this.pieceBytes > this.maxElementBytes) this.pieces = [Buffer.from(this.pieces[0]!.subarray(0, HEAD_BYTES))]
  }
}
