// Vectors of texts without a model: hashed words and pieces of words. They know nothing of meaning; texts of like words are alike.

import { UsageError } from '../../errors.ts'

/** How texts become vectors. */
export interface LexicalEmbedderOptions {
  /** Numbers of a vector. Default 1024. */
  dimensions?: number
  /** Texts of the kind that will come: words that stand in many of them count less. Default: none, and a list of common words counts less. */
  texts?: readonly string[]
}

/** What words that questions are made of count. */
const COMMON = new Set(
  `a an the i you me my your we our it its he she they is are was were am be been being do does did done can could will would shall should may
 might must have has had if in on at by for from of to with about and or but so as that this these those there here what which who whom
 whose when where why how please tell explain give show know want need get make some any`.split(/\s+/),
)
const COMMON_WEIGHT = 0.25
/** Of all pieces of a word together, beside the word itself with 1. */
const PIECES_WEIGHT = 1

/**
 * Gives texts vectors of length 1 by their words and their words' pieces of three to five characters, hashed (Weinberger et al. 2009).
 * No model and no download: it finds texts of like words, not of like meaning. An empty text has the vector 0.
 *
 * @example
 * const embed = lexicalEmbedder()
 * const [a, b] = await embed(['How tall is the tower?', "What is the tower's height?"])
 */
export function lexicalEmbedder(
  options: LexicalEmbedderOptions = {},
): (texts: readonly string[]) => Promise<Float32Array[]> {
  const { dimensions = 1024, texts: corpus = [] } = options
  if (!(Number.isInteger(dimensions) && dimensions >= 16))
    throw new UsageError(`dimensions: expected a whole number of at least 16, got ${dimensions}`)
  const found = new Map<string, number>()
  for (const text of corpus) for (const word of new Set(wordsOf(text))) found.set(word, (found.get(word) ?? 0) + 1)
  const weightOf = (word: string): number => {
    if (corpus.length === 0) return COMMON.has(word) ? COMMON_WEIGHT : 1
    return Math.log((1 + corpus.length) / (1 + (found.get(word) ?? 0))) / Math.log(1 + corpus.length)
  }
  const vectorOf = (text: string): Float32Array => {
    const vector = new Float32Array(dimensions)
    const add = (feature: string, weight: number): void => {
      const hash = fnv1a(feature)
      vector[(hash >>> 1) % dimensions]! += hash & 1 ? weight : -weight
    }
    for (const word of wordsOf(text)) {
      const weight = weightOf(word)
      add(`=${word}`, weight)
      const pieces = piecesOf(word)
      // So that a long word counts no more than a short one.
      for (const piece of pieces) add(piece, (weight * PIECES_WEIGHT) / Math.sqrt(pieces.length))
    }
    let squares = 0
    for (const value of vector) squares += value * value
    const length = Math.sqrt(squares)
    return length === 0 ? vector : vector.map((value) => value / length)
  }
  return async (texts) => texts.map(vectorOf)
}

const wordsOf = (text: string): string[] =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .match(/[\p{L}\d]+/gu) ?? []

function piecesOf(word: string): string[] {
  const padded = `<${word}>`
  const pieces: string[] = []
  for (const size of [3, 4, 5])
    for (let at = 0; at + size <= padded.length; at++) pieces.push(padded.slice(at, at + size))
  return pieces
}

/** FNV-1a over the units of a text, in 32 bits, mixed once more so that its low bit is as good as the others. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  return (hash ^ (hash >>> 13)) >>> 0
}
