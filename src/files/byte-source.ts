// Bytes that lie elsewhere: what readers of data take in place of a file of this machine.

/** A file that is read by place, wherever it lies. */
export interface ByteSource {
  /** What errors call it; its ending tells the format, as a file's does. */
  name: string
  /** Bytes. */
  size: number
  /** Bytes `[from, to)`, all of them. Throws where they cannot be had. */
  read(from: number, to: number): Promise<Buffer>
}

/** What is asked for at once where all is read in order: little at the beginning, which is all that some look at. */
const FIRST_BYTES = 64 << 10
const MOST_BYTES = 4 << 20

/** All bytes in order, in pieces of at most `pieceBytes`; the next stretch is under way while one is worked on. */
export async function* piecesOf(source: ByteSource, pieceBytes: number): AsyncGenerator<Buffer> {
  let length = FIRST_BYTES
  const stretch = (from: number): Promise<Buffer> | undefined => {
    if (from >= source.size) return undefined
    const read = source.read(from, Math.min(from + length, source.size))
    length = Math.min(2 * length, MOST_BYTES)
    read.catch(() => {}) // of a reader that has left, nobody awaits it
    return read
  }
  let next = stretch(0)
  for (let from = 0; next !== undefined; ) {
    const bytes: Buffer = await next
    from += bytes.length
    next = stretch(from)
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  }
}
