// Cuts a stream of bytes into lines and knows where each one stands.
// LF and CRLF end a line, a byte order mark at the start is dropped, and an endless line costs no memory.

/** One line without its end. `offset` and `length` are bytes of the file, `line` counts from 1. */
export interface Line {
  bytes: Buffer
  offset: number
  line: number
  length: number
  /** The line is longer than the limit and `bytes` is only its start. */
  isTooLong?: boolean
  /** Only with `cutsLongLines`: the next piece belongs to the same line. */
  continues?: boolean
}

/** How to split. */
export interface LineSplitterOptions {
  maxLineBytes: number
  /** Gives a long line in pieces, cut after a space where there is one, instead of marking it as too long. */
  cutsLongLines?: boolean
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20
/** What is kept of a line that is too long, for the excerpt. */
const HEAD_BYTES = 256

/** Push chunks, take lines; `end` gives a last line that has no line end. */
export class LineSplitter {
  private readonly options: LineSplitterOptions
  private pieces: Buffer[] = []
  private pieceBytes = 0
  private lineBytes = 0
  private offset = 0
  private line = 1

  constructor(options: LineSplitterOptions) {
    this.options = options
  }

  push(chunk: Buffer): Line[] {
    const lines: Line[] = []
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start)
      this.keep(end === -1 ? chunk.subarray(start) : chunk.subarray(start, end), lines)
      if (end === -1) return lines
      lines.push(this.take())
      this.offset += 1
      this.line += 1
      start = end + 1
    }
  }

  end(): Line[] {
    return this.lineBytes > 0 ? [this.take()] : []
  }

  private keep(piece: Buffer, lines: Line[]): void {
    const isDropping = this.lineBytes > this.pieceBytes
    this.lineBytes += piece.length
    if (isDropping) return
    this.pieces.push(piece)
    this.pieceBytes += piece.length
    if (this.pieceBytes <= this.options.maxLineBytes) return
    if (this.options.cutsLongLines) {
      while (this.pieceBytes > this.options.maxLineBytes) lines.push(this.cut())
    } else {
      const head = Buffer.from(this.joined().subarray(0, HEAD_BYTES))
      this.pieces = [head]
      this.pieceBytes = head.length
    }
  }

  /** Takes the first `maxLineBytes` of a long line, or less to end after a space or at least after a whole character. */
  private cut(): Line {
    const bytes = this.joined()
    const most = this.options.maxLineBytes
    let end = bytes.lastIndexOf(SPACE, most - 1) + 1
    if (end === 0) end = characterEnd(bytes, most)
    const rest = bytes.subarray(end)
    this.pieces = [bytes.subarray(0, end)]
    this.lineBytes = end
    const line = { ...this.take(), continues: true }
    this.pieces = [rest]
    this.pieceBytes = rest.length
    this.lineBytes = rest.length
    return line
  }

  private take(): Line {
    let bytes = this.joined()
    const line: Line = { bytes, offset: this.offset, line: this.line, length: this.lineBytes }
    if (this.lineBytes > bytes.length) line.isTooLong = true
    else if (bytes.at(-1) === CARRIAGE_RETURN) bytes = bytes.subarray(0, -1)
    if (this.offset === 0 && startsWithByteOrderMark(bytes)) {
      bytes = bytes.subarray(3)
      line.offset = 3
      line.length -= 3
    }
    line.bytes = bytes
    this.offset += this.lineBytes
    this.pieces = []
    this.pieceBytes = 0
    this.lineBytes = 0
    return line
  }

  private joined(): Buffer {
    return this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces)
  }
}

/** The last place at or before `index`, but after 0, where a UTF-8 character ends. */
function characterEnd(bytes: Buffer, index: number): number {
  for (let end = index; end > Math.max(0, index - 4); end--) if ((bytes[end]! & 0xc0) !== 0x80) return end
  return index
}

function startsWithByteOrderMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}
