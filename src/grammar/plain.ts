// Plain characters: those that strings of JSON write as they are. Nearly all tokens of a vocabulary are made of nothing else.

/** As ranges of code points, both ends included. */
export const PLAIN: readonly (readonly [from: number, to: number])[] = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0x10ffff],
]

/** Bytes with which one begins. */
export const PLAIN_STARTS: readonly number[] = Array.from({ length: 256 }, (_, byte) => byte).filter(
  (byte) => (byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c) || (byte >= 0xc2 && byte <= 0xf4),
)

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Characters of these bytes where all are plain and whole; else 0. */
export function plainLength(bytes: Uint8Array): number {
  if (bytes.some((byte) => byte < 0x20 || byte === 0x22 || byte === 0x5c)) return 0
  if (bytes.every((byte) => byte < 0x80)) return bytes.length
  try {
    return [...decoder.decode(bytes)].length
  } catch {
    return 0
  }
}
