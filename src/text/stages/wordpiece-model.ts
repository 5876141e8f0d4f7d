// BERT's WordPiece: from the left, the longest token that the vocabulary has; a word that cannot be covered is unknown.

import type { TokenModel } from './bpe-model.ts'
import type { IdBuffer } from './id-buffer.ts'

/** A WordPiece vocabulary; `lookUp` gives undefined for tokens that text may not produce. */
export interface WordPieceOptions {
  readonly lookUp: (token: string) => number | undefined
  readonly unknownId: number
  /** Marks tokens that continue a word, usually `##`. */
  readonly continuingPrefix: string
  /** Longer words are unknown as a whole; bounds the work per word. */
  readonly maxCharacters: number
}

/** Encodes words by greedy longest match. */
export class WordPieceModel implements TokenModel {
  readonly #options: WordPieceOptions

  constructor(options: WordPieceOptions) {
    this.#options = options
  }

  encodeWord(word: string, out: IdBuffer): void {
    const { lookUp, unknownId, continuingPrefix, maxCharacters } = this.#options
    const chars = word.length > maxCharacters * 2 ? [] : Array.from(word)
    const ids: number[] = []
    if (chars.length > maxCharacters || chars.length === 0) {
      if (word !== '') out.push(unknownId)
      return
    }
    for (let start = 0; start < chars.length; ) {
      let end = chars.length
      let id: number | undefined
      for (; end > start; end--) {
        id = lookUp((start === 0 ? '' : continuingPrefix) + chars.slice(start, end).join(''))
        if (id !== undefined) break
      }
      if (id === undefined) {
        out.push(unknownId)
        return
      }
      ids.push(id)
      start = end
    }
    for (const id of ids) out.push(id)
  }
}
