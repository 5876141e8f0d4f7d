// How well a tokenizer fits a language: tokens for a word (fertility) and the share of words that are cut (Ács, 2019; Rust et al., ACL 2021, §3).
import type { Tokenizer } from './tokenizer.ts'

/** What is counted of texts under one tokenizer. */
export interface Fertility {
  documents: number
  words: number
  tokens: number
  bytes: number
  /** Tokens a word, in running text: spaces and punctuation belong to the words around them. */
  fertility: number
  /** Share of words that take more than one token behind a space. */
  continued: number
  bytesPerToken: number
  /** Share of tokens that stand for what the vocabulary does not have. */
  unknown: number
}

/** Most words whose pieces are remembered; a language has a long tail. */
const REMEMBERED = 200_000

/** Stretches of a line, cut at spaces where there are any: the segmenter takes quadratic time for a long text. */
const SHORT = /[^\r\n]{1,4096}(?=\s|$)|[^\r\n]{1,4096}/gu

/** Counts texts under one tokenizer. Words are Unicode's (UAX 29), by dictionary where a language has no spaces. */
export class FertilityCounter {
  readonly #tokenizer: Tokenizer
  readonly #segmenter: Intl.Segmenter
  readonly #pieces = new Map<string, number>()
  #documents = 0
  #words = 0
  #tokens = 0
  #bytes = 0
  #cut = 0
  #unknown = 0

  /** `language`: a BCP 47 tag for where words end; matters for languages without spaces. */
  constructor(tokenizer: Tokenizer, language?: string) {
    this.#tokenizer = tokenizer
    this.#segmenter = new Intl.Segmenter(language, { granularity: 'word' })
  }

  /** One text more. */
  add(text: string): void {
    const ids = this.#tokenizer.encode(text, { addSpecialTokens: false })
    this.#documents++
    this.#tokens += ids.length
    this.#bytes += Buffer.byteLength(text)
    const unknown = this.#tokenizer.unkTokenId
    if (unknown !== undefined) this.#unknown += ids.filter((id) => id === unknown).length
    for (const line of text.match(SHORT) ?? [])
      for (const { segment, isWordLike } of this.#segmenter.segment(line)) {
        if (!isWordLike) continue
        this.#words++
        if (this.#piecesOf(segment) > 1) this.#cut++
      }
  }

  /** The figures so far. */
  get result(): Fertility {
    const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b)
    return {
      documents: this.#documents,
      words: this.#words,
      tokens: this.#tokens,
      bytes: this.#bytes,
      fertility: ratio(this.#tokens, this.#words),
      continued: ratio(this.#cut, this.#words),
      bytesPerToken: ratio(this.#bytes, this.#tokens),
      unknown: ratio(this.#unknown, this.#tokens),
    }
  }

  /** Tokens of a word behind a space, that is, without those of the space alone: `a a` may be two tokens or three. */
  #piecesOf(word: string): number {
    const known = this.#pieces.get(word)
    if (known !== undefined) return known
    const count = (text: string): number => this.#tokenizer.encode(text, { addSpecialTokens: false }).length
    const pieces = Math.max(1, count(`a ${word}`) - count('a'))
    if (this.#pieces.size < REMEMBERED) this.#pieces.set(word, pieces)
    return pieces
  }
}
