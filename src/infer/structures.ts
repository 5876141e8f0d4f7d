// The structures that requests ask for, compiled once for each model: many requests ask for the same one.

import { compileGrammar, type Structure } from '../grammar/grammar.ts'
import { type GrammarMask, GrammarMasks, type GrammarMasksOptions } from '../grammar/grammar-mask.ts'
import { TokenTrie } from '../grammar/token-trie.ts'
import type { Tokenizer } from '../text/tokenizer.ts'

/** Structures that are kept; the one that was not asked for longest goes first. */
const MOST_KEPT = 64
/** Parts that one may grow to while texts follow it; then it is compiled anew, so that a server's memory stays bounded. */
const MOST_PARTS = 300_000

export class Structures {
  readonly #known = new Map<string, GrammarMasks>()
  readonly #mostParts: number

  constructor(mostParts: number = MOST_PARTS) {
    this.#mostParts = mostParts
  }

  /** Parts of all structures that are kept. */
  get parts(): number {
    return [...this.#known.values()].reduce((sum, { size }) => sum + size, 0)
  }

  /** The mask of one text of at most `maxNewTokens` tokens. UsageError for a structure that is malformed or cannot be kept to. */
  mask(
    structure: Structure,
    tokenizer: Tokenizer,
    vocabSize: number,
    { maxNewTokens, ...options }: GrammarMasksOptions & { maxNewTokens: number },
  ): GrammarMask {
    const key = JSON.stringify([structure, options])
    let masks = this.#known.get(key)
    if (masks === undefined || masks.size > this.#mostParts)
      masks = new GrammarMasks(
        compileGrammar(structure, { controlTokens: tokenizer.specialTokens }),
        TokenTrie.of(tokenizer, vocabSize),
        options,
      )
    this.#known.delete(key)
    this.#known.set(key, masks)
    if (this.#known.size > MOST_KEPT) this.#known.delete(this.#known.keys().next().value!)
    return masks.mask({ maxNewTokens })
  }
}
