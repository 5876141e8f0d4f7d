// Plain text and Markdown: a document per file. A file above `maxDocumentBytes` becomes several, cut at the last blank
// line that fits, else at a line end; a line that is longer still is cut after a space. Joined again they are the file,
// less its bad lines, with LF for CRLF; each but the last says that it is continued.

import { isUtf8 } from 'node:buffer'
import { readChunks } from './chunks.ts'
import { type Line, LineSplitter } from './line-splitter.ts'
import type { FileRow, ReadContext } from './read-context.ts'

/** Yields the documents of a text file as rows `{ text }`; a document of white space alone is left out. */
export async function* readTextDocuments(context: ReadContext): AsyncGenerator<FileRow> {
  const { maxDocumentBytes } = context.limits
  const splitter = new LineSplitter({ maxLineBytes: maxDocumentBytes, cutsLongLines: true })
  const builder = new DocumentBuilder(maxDocumentBytes)
  for await (const chunk of readChunks(context)) yield* builder.add(goodLines(splitter.push(chunk), context))
  // No line end follows the last piece, just as none follows a piece of a long line.
  const last = splitter.end().map((line) => ({ ...line, continues: true }))
  yield* builder.add(goodLines(last, context))
  yield* builder.end()
}

function goodLines(lines: Line[], context: ReadContext): Line[] {
  const good = lines.filter((line) => {
    const reason = line.bytes.includes(0) ? 'nul' : isUtf8(line.bytes) ? undefined : 'invalid-utf8'
    if (reason === undefined) return true
    const { offset, length, bytes } = line
    context.bad({ reason, line: line.line, offset, length, bytes })
    return false
  })
  context.good(
    good.length,
    good.reduce((sum, { length }) => sum + length, 0),
  )
  return good
}

class DocumentBuilder {
  private readonly maxBytes: number
  private lines: Line[] = []
  private bytes = 0
  /** Lines up to and with the last blank one, and their bytes. */
  private paragraphLines = 0
  private paragraphBytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  *add(lines: Line[]): Generator<FileRow> {
    for (const line of lines) {
      while (this.bytes > 0 && this.bytes + line.length + 1 > this.maxBytes) yield* this.cut()
      this.lines.push(line)
      this.bytes += line.length + 1
      if (line.bytes.length > 0) continue
      this.paragraphLines = this.lines.length
      this.paragraphBytes = this.bytes
    }
  }

  *end(): Generator<FileRow> {
    yield* this.take(this.lines.length, false)
  }

  private *cut(): Generator<FileRow> {
    const atParagraph = this.paragraphLines > 0
    const count = atParagraph ? this.paragraphLines : this.lines.length
    const bytes = atParagraph ? this.paragraphBytes : this.bytes
    this.bytes -= bytes
    this.paragraphLines = 0
    this.paragraphBytes = 0
    yield* this.take(count, true)
  }

  private *take(count: number, isContinued: boolean): Generator<FileRow> {
    const lines = this.lines.splice(0, count)
    const text = lines.map((line) => line.bytes.toString('utf8') + (line.continues ? '' : '\n')).join('')
    if (text.trim() === '') return
    const { offset, line } = lines[0]!
    const last = lines.at(-1)!
    const row = { row: { text }, offset, line, length: last.offset + last.length - offset }
    yield isContinued ? { ...row, isContinued } : row
  }
}
