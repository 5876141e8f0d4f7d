// What names contents: sha256, in lower-case hexadecimal, of files and of what is in memory. Caches, fingerprints, manifests and lineage
// all ask here, so that the same data has one name.

import { createHash, type Hash } from 'node:crypto'
import { closeSync, createReadStream, openSync, readSync } from 'node:fs'

const PIECE_BYTES = 1 << 22

/** Text, or numbers as they lie in memory. */
export type Hashable = string | ArrayBufferView

/** The hash of several parts in order. Where one ends counts: `['ab', 'c']` is not `['a', 'bc']`. */
export class ContentHash {
  private readonly hash: Hash = createHash('sha256')

  add(...parts: readonly Hashable[]): this {
    for (const part of parts) {
      const bytes = typeof part === 'string' ? Buffer.from(part) : bytesOf(part)
      this.hash.update(`${bytes.length}:`).update(bytes)
    }
    return this
  }

  /** Adds the contents of a file; other work gets its turn meanwhile. */
  async addFile(path: string): Promise<this> {
    const content = createHash('sha256')
    for await (const chunk of createReadStream(path, { highWaterMark: PIECE_BYTES })) content.update(chunk as Buffer)
    return this.add(content.digest())
  }

  digest(): string {
    return this.hash.digest('hex')
  }
}

/** The hash of parts that are at hand. */
export function hashOf(...parts: readonly Hashable[]): string {
  return new ContentHash().add(...parts).digest()
}

/** The sha256 of a text by itself, where others compute it too. */
export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The sha256 of a file's bytes, as `sha256sum` prints it; read in pieces. */
export function hashFile(path: string): string {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(PIECE_BYTES)
  const descriptor = openSync(path, 'r')
  try {
    for (;;) {
      const count = readSync(descriptor, buffer, 0, buffer.length, null)
      if (count === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, count))
    }
  } finally {
    closeSync(descriptor)
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
