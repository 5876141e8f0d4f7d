// SentencePiece's `Precompiled` normalizer: a table from byte strings to replacements, stored as a Darts double-array trie
// followed by zero-terminated texts. Applied per grapheme, then per character, as the Rust tokenizer does.

import { TokenizerError } from '../../errors.ts'

const MAX_GRAPHEME_BYTES = 6 // longer graphemes go character by character
const CHUNK = 256
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Compiles the base64 field `precompiled_charsmap`; throws a TokenizerError, naming `where`, if it is damaged. */
export function compileCharsMap(base64: unknown, where: string): (text: string) => string {
  if (base64 === null || base64 === undefined || base64 === '') return (text) => text
  const blob = Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64')
  const trieBytes = blob.length >= 4 ? blob.readUInt32LE(0) : -1
  if (trieBytes <= 0 || trieBytes % 4 !== 0 || trieBytes + 4 > blob.length) {
    throw new TokenizerError(
      `bad charsmap in ${where}: expected a trie within ${blob.length} bytes, got ${trieBytes}. Get the file again`,
    )
  }
  const trie = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => blob.readUInt32LE(4 + i * 4))
  const texts = blob.subarray(4 + trieBytes)
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
  const known = new Map<string, string>()

  const replacement = (piece: string): string | undefined => {
    const at = firstMatch(trie, encoder.encode(piece))
    if (at === undefined || at >= texts.length) return undefined
    const end = texts.indexOf(0, at)
    return decoder.decode(texts.subarray(at, end === -1 ? undefined : end))
  }
  const normalizeGrapheme = (grapheme: string): string => {
    if (encoder.encode(grapheme).length < MAX_GRAPHEME_BYTES) {
      const whole = replacement(grapheme)
      if (whole !== undefined) return whole
    }
    return Array.from(grapheme, (char) => replacement(char) ?? char).join('')
  }
  return (text) => {
    let normalized = ''
    for (const chunk of chunksOf(text)) {
      for (const { segment } of segmenter.segment(chunk)) {
        let result = known.get(segment)
        if (result === undefined) {
          result = normalizeGrapheme(segment)
          if (known.size < 65_536 && segment.length < 16) known.set(segment, result)
        }
        normalized += result
      }
    }
    return normalized
  }
}

/**
 * Pieces of a text that no grapheme crosses: the segmenter takes time quadratic in the length of what it gets. A piece ends
 * between two characters that never join, and in a text without such a place after a few hundred characters.
 */
function* chunksOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + CHUNK, text.length)
    while (end > start + CHUNK / 2 && end < text.length && !/^[\p{L}\p{N} ]{2}$/u.test(text.slice(end - 1, end + 1)))
      end--
    if ((text.charCodeAt(end) & 0xfc00) === 0xdc00) end++ // not within a surrogate pair
    yield text.slice(start, end)
    start = end
  }
}

/** The value of the shortest key that `bytes` begins with. Layout of a unit: Darts-clone's `darts.h`. */
function firstMatch(trie: Uint32Array, bytes: Uint8Array): number | undefined {
  let node = offsetOf(trie[0] ?? 0)
  for (const byte of bytes) {
    if (byte === 0) return undefined
    node ^= byte
    const unit = trie[node]
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined
    node ^= offsetOf(unit)
    if ((unit >>> 8) & 1) return (trie[node] ?? 0) & 0x7fffffff
  }
  return undefined
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6)
}
