// GPT-2's way to write bytes as text: each of the 256 byte values has a printable character, so that vocabularies and
// merges hold no spaces or control characters. This file holds the two tables and nothing of BPE itself.

const BYTE_TO_CHAR = makeByteToChar()
const CHAR_TO_BYTE: ReadonlyMap<number, number> = new Map(BYTE_TO_CHAR.map((char, byte) => [char.charCodeAt(0), byte]))
const encoder = new TextEncoder()

/** The 256 characters in the order of the bytes they stand for; byte 0x20 is `Ġ`. */
export function byteLevelAlphabet(): readonly string[] {
  return BYTE_TO_CHAR
}

/** Writes the UTF-8 bytes of a text with the 256 characters; a lone surrogate counts as U+FFFD. */
export function toByteLevel(text: string): string {
  let mapped = ''
  for (const byte of encoder.encode(text)) mapped += BYTE_TO_CHAR[byte]
  return mapped
}

/** The bytes that a byte-level token stands for, or undefined if one of its characters stands for no byte. */
export function fromByteLevel(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = CHAR_TO_BYTE.get(token.charCodeAt(i))
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}

/** Printable Latin-1 characters stand for themselves; the other 68 bytes get U+0100 and up, in order. */
function makeByteToChar(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad)
    return String.fromCharCode(isPrintable ? byte : next++)
  })
}
