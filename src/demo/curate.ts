// Texts → passages worth learning from, split into those to train on and those held out. Deliberately simple: long texts
// are cut at blank lines, repeated passages go, and so do passages without words. What went is counted by reason.

import { hashText } from '../files/hash.ts'
import { setApart } from './set-apart.ts'

/** Why a passage was left out. */
export type DropReason = 'short' | 'repeated' | 'wordless'

/** Passages in their order of appearance, and their UTF-8 bytes. */
export interface TextSplit {
  train: string[]
  heldOut: string[]
  trainBytes: number
  heldOutBytes: number
}

/** What curating gives. */
export interface Curated extends TextSplit {
  /** One kind of text that is in neither side, with a split of its own; `description` says what it is. */
  apart: TextSplit & { description: string }
  documents: number
  dropped: Record<DropReason, number>
  /** Longest passage in characters. */
  passageLength: number
  /** True when there was more text than `maxBytes`. */
  isCut: boolean
}

export interface CurateOptions {
  /** Longest passage in characters; little text is cut into shorter ones, so that there are enough to split. */
  passageLength: number
  /** Reading ends when this many bytes were kept. */
  maxBytes: number
  /** The share of passages held out, or less where that would be above `mostHeldOutBytes`; at least one passage. */
  heldOutShare: number
  mostHeldOutBytes: number
  /** The share of passages that is set apart as a kind (see `setApart`), and how much of it is held out. Default none. */
  apart?: { share: number; heldOutShare: number; mostHeldOutBytes: number }
}

const FEWEST_CHARACTERS = 40
/** Little text is cut into this many passages at least, of which some can be held out and some set apart. */
const WANTED_PASSAGES = 60
const SHORTEST_PASSAGE = 400
/** Prose has 0.85–0.95 of letters and spaces outside tags and links, documentation with code 0.7–0.9; lists of links, tables of numbers and minified code stay below. */
const LEAST_WORDS = 0.6
const TAG_OR_LINK = /<[^<>]*>|https?:\/\/\S+/g

/** Cuts, filters, sets a kind apart where wanted, and splits. */
export async function curate(
  documents: AsyncIterable<{ text: string }>,
  { passageLength, maxBytes, heldOutShare, mostHeldOutBytes, apart: wanted }: CurateOptions,
): Promise<Curated> {
  let kept: Passages = new Map()
  const dropped: Curated['dropped'] = { short: 0, repeated: 0, wordless: 0 }
  let numDocuments = 0
  let bytes = 0
  for await (const { text } of documents) {
    if (bytes >= maxBytes) break
    numDocuments++
    for (const passage of passagesOf(text, passageLength)) {
      const hash = hashOf(passage)
      const reason = reasonToDrop(passage) ?? (kept.has(hash) ? 'repeated' : undefined)
      if (reason === undefined) kept.set(hash, passage)
      else dropped[reason]++
      if (reason === undefined) bytes += Buffer.byteLength(passage)
    }
  }
  const isCut = bytes >= maxBytes
  const length = Math.min(passageLength, Math.max(SHORTEST_PASSAGE, Math.floor(bytes / WANTED_PASSAGES)))
  if (length < passageLength) kept = cutShorter(kept, length)
  const entries = Array.from(kept, ([hash, text]) => ({ hash, text }))
  const { apart, rest, marks } = setApart(entries, wanted?.share ?? 0)
  return {
    ...split(rest, heldOutShare, mostHeldOutBytes),
    apart: {
      ...split(apart, wanted?.heldOutShare ?? 0, wanted?.mostHeldOutBytes ?? 0),
      description: `the passages of it with the most of ${marks.join(' ')}`,
    },
    documents: numDocuments,
    dropped,
    passageLength: length,
    isCut,
  }
}

/** Cuts texts of one kind into passages and splits them; where they are more than `mostBytes`, those with the smallest hashes stay. */
export function curateKind(
  documents: Iterable<string>,
  description: string,
  options: { passageLength: number; mostBytes: number; heldOutShare: number; mostHeldOutBytes: number },
): Curated['apart'] {
  const { passageLength, mostBytes, heldOutShare, mostHeldOutBytes } = options
  const passages: Passages = new Map()
  for (const text of documents)
    for (const passage of passagesOf(text, passageLength))
      if (passage.length >= FEWEST_CHARACTERS) passages.set(hashOf(passage), passage)
  const kept: { hash: string; text: string }[] = []
  let bytes = 0
  for (const hash of [...passages.keys()].sort()) {
    const text = passages.get(hash)!
    bytes += Buffer.byteLength(text)
    if (bytes > mostBytes) break
    kept.push({ hash, text })
  }
  return { ...split(kept, heldOutShare, mostHeldOutBytes), description }
}

/** By the hash of their words. */
type Passages = Map<string, string>

function hashOf(passage: string): string {
  return hashText(passage.replaceAll(/\s+/g, ' '))
}

function cutShorter(passages: Passages, length: number): Passages {
  const pieces = [...passages.values()].flatMap((passage) => passagesOf(passage, length))
  return new Map(pieces.map((piece) => [hashOf(piece), piece]))
}

/** Looks at hashes only, so that the same passage is always on its side. */
function split(passages: readonly { hash: string; text: string }[], share: number, mostBytes: number): TextSplit {
  const bytes = bytesOf(passages.map(({ text }) => text))
  const count = Math.max(1, Math.round(passages.length * Math.min(share, mostBytes / bytes)))
  const border = passages.map(({ hash }) => hash).sort()[count] ?? ''
  const train = passages.filter(({ hash }) => hash >= border).map(({ text }) => text)
  const heldOut = passages.filter(({ hash }) => hash < border).map(({ text }) => text)
  return { train, heldOut, trainBytes: bytesOf(train), heldOutBytes: bytesOf(heldOut) }
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
