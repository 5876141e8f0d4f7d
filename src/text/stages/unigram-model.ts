// SentencePiece's unigram model: the segmentation of a word with the highest sum of log-probabilities (Viterbi over a
// trie of all tokens). T5, XLM-R and ALBERT use it.

import type { TokenModel } from './bpe-model.ts'
import type { IdBuffer } from './id-buffer.ts'
import { PairTable } from './pair-table.ts'

/** Tokens in order of their ids with their log-probabilities. */
export interface UnigramOptions {
  readonly tokens: readonly string[]
  readonly scores: Float64Array
  readonly unknownId: number
  /** Ids that text may not produce, such as `</s>`: they are left out of the search. */
  readonly excluded: ReadonlySet<number>
  readonly byteFallbackIds?: Int32Array | undefined
}

const UNKNOWN_PENALTY = 10 // below the worst score, as in SentencePiece
const encoder = new TextEncoder()

/** Encodes words as their most probable sequence of tokens. */
export class UnigramModel implements TokenModel {
  readonly #options: UnigramOptions
  /** Trie: (node, UTF-16 unit) → child; node → id of the token that ends there, or −1. */
  readonly #children: PairTable = new PairTable(1 << 16)
  readonly #tokenAt: number[] = [-1]
  readonly #unknownScore: number

  constructor(options: UnigramOptions) {
    this.#options = options
    let worst = 0
    for (const score of options.scores) worst = Math.min(worst, score)
    this.#unknownScore = worst - UNKNOWN_PENALTY
    for (const [id, token] of options.tokens.entries()) {
      if (id !== options.unknownId && !options.excluded.has(id)) this.#insert(token, id)
    }
  }

  #insert(token: string, id: number): void {
    let node = 0
    for (let i = 0; i < token.length; i++) {
      const unit = token.charCodeAt(i)
      let child = this.#children.get(node, unit)
      if (child === -1) {
        child = this.#tokenAt.push(-1) - 1
        this.#children.set(node, unit, child)
      }
      node = child
    }
    if (node !== 0) this.#tokenAt[node] = id
  }

  encodeWord(word: string, out: IdBuffer): void {
    const { unknownId, scores } = this.#options
    const length = word.length
    const best = new Float64Array(length + 1).fill(Number.NEGATIVE_INFINITY)
    const from = new Int32Array(length + 1)
    const ids = new Int32Array(length + 1)
    best[0] = 0
    const offer = (start: number, end: number, id: number, score: number): void => {
      const total = best[start]! + score
      if (total <= best[end]!) return
      best[end] = total
      from[end] = start
      ids[end] = id
    }
    for (let start = 0; start < length; start += word.codePointAt(start)! > 0xffff ? 2 : 1) {
      const charEnd = start + (word.codePointAt(start)! > 0xffff ? 2 : 1)
      let hasSingle = false
      for (let node = 0, end = start; end < length; ) {
        node = this.#children.get(node, word.charCodeAt(end++))
        if (node === -1) break
        const id = this.#tokenAt[node]!
        if (id === -1) continue
        hasSingle ||= end === charEnd
        offer(start, end, id, scores[id]!)
      }
      if (!hasSingle) offer(start, charEnd, unknownId, this.#unknownScore)
    }
    this.#emit(word, from, ids, out)
  }

  #emit(word: string, from: Int32Array, ids: Int32Array, out: IdBuffer): void {
    const ends: number[] = []
    for (let end = word.length; end > 0; end = from[end]!) ends.push(end)
    const { unknownId, byteFallbackIds } = this.#options
    let wasUnknown = false
    for (let i = ends.length - 1; i >= 0; i--) {
      const end = ends[i]!
      const isUnknown = ids[end] === unknownId
      if (isUnknown && byteFallbackIds !== undefined) {
        for (const byte of encoder.encode(word.slice(from[end]!, end))) out.push(byteFallbackIds[byte]!)
      } else if (!isUnknown || !wasUnknown) {
        out.push(ids[end]!)
      }
      wasUnknown = isUnknown
    }
  }
}
