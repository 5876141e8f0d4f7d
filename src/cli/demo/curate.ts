// Texts → passages worth learning from, split into those to train on and those held out. Deliberately simple: long texts
// are cut at blank lines, repeated passages go, and so do passages without words. What went is counted by reason.

import { createHash } from 'node:crypto'

/** Why a passage was left out. */
export type DropReason = 'short' | 'repeated' | 'wordless'

/** What curating gives; texts are in their order of appearance. */
export interface Curated {
  train: string[]
  heldOut: string[]
  documents: number
  dropped: Record<DropReason, number>
  /** UTF-8 bytes of what was kept. */
  trainBytes: number
  heldOutBytes: number
  /** True when there was more text than `maxBytes`. */
  isCut: boolean
}

export interface CurateOptions {
  /** Longest passage in characters. */
  passageLength: number
  /** Reading ends when this many bytes were kept. */
  maxBytes: number
  /** The share of passages held out, or less where that would be above `mostHeldOutBytes`; at least one passage. */
  heldOutShare: number
  mostHeldOutBytes: number
}

const FEWEST_CHARACTERS = 40
/** Prose has 0.85–0.95 of letters and spaces outside tags and links, documentation with code 0.7–0.9; lists of links, tables of numbers and minified code stay below. */
const LEAST_WORDS = 0.6
const TAG_OR_LINK = /<[^<>]*>|https?:\/\/\S+/g

/** Cuts, filters and splits. The split looks at the hash of a passage only, so the same passage is always on its side. */
export async function curate(
  documents: AsyncIterable<{ text: string }>,
  { passageLength, maxBytes, heldOutShare, mostHeldOutBytes }: CurateOptions,
): Promise<Curated> {
  const kept = new Map<string, string>()
  const dropped: Curated['dropped'] = { short: 0, repeated: 0, wordless: 0 }
  let numDocuments = 0
  let bytes = 0
  for await (const { text } of documents) {
    if (bytes >= maxBytes) break
    numDocuments++
    for (const passage of passagesOf(text, passageLength)) {
      const hash = createHash('sha256').update(passage.replaceAll(/\s+/g, ' ')).digest('hex')
      const reason = reasonToDrop(passage) ?? (kept.has(hash) ? 'repeated' : undefined)
      if (reason === undefined) kept.set(hash, passage)
      else dropped[reason]++
      if (reason === undefined) bytes += Buffer.byteLength(passage)
    }
  }
  const isCut = bytes >= maxBytes
  const count = Math.max(1, Math.round(kept.size * Math.min(heldOutShare, mostHeldOutBytes / bytes)))
  const border = [...kept.keys()].sort()[count] ?? ''
  const train = [...kept].filter(([hash]) => hash >= border).map(([, text]) => text)
  const heldOut = [...kept].filter(([hash]) => hash < border).map(([, text]) => text)
  const [trainBytes, heldOutBytes] = [bytesOf(train), bytesOf(heldOut)]
  return { train, heldOut, documents: numDocuments, dropped, trainBytes, heldOutBytes, isCut }
}

/** Cuts a text into passages of at most `length` characters, at blank lines where there are any, else at line ends or spaces. */
export function passagesOf(text: string, length: number): string[] {
  const passages: string[] = []
  let rest = text.replaceAll('\r\n', '\n').trim()
  while (rest.length > length) {
    const start = rest.slice(0, length)
    // A cut in the first half would leave crumbs.
    const cut = ['\n\n', '\n', ' '].map((mark) => start.lastIndexOf(mark)).find((at) => at >= length / 2)
    const end = cut ?? (isHighSurrogate(start.charCodeAt(length - 1)) ? length - 1 : length)
    passages.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  return rest === '' ? passages : [...passages, rest]
}

function reasonToDrop(passage: string): DropReason | undefined {
  if (passage.length < FEWEST_CHARACTERS) return 'short'
  const words = passage.replaceAll(TAG_OR_LINK, '').match(/[\p{L}\p{M}\s]+/gu) ?? []
  return words.join('').length < LEAST_WORDS * passage.length ? 'wordless' : undefined
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

function bytesOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
}
