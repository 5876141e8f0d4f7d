// The structures that requests ask for, compiled once for each model: many requests ask for the same one.

import { compileGrammar, type Structure } from '../grammar/grammar.ts'
import { type GrammarMask, GrammarMasks, type GrammarMasksOptions } from '../grammar/grammar-mask.ts'
import { TokenTrie } from '../grammar/token-trie.ts'
import type { Tokenizer } from '../text/tokenizer.ts'

/** Structures that are kept; the one that was not asked for longest goes first. */
const MOST_KEPT = 64

export class Structures {
  readonly #known = new Map<string, GrammarMasks>()

  /** The mask of one text of at most `maxNewTokens` tokens. UsageError for a structure that is malformed or cannot be kept to. */
  mask(
    structure: Structure,
    tokenizer: Tokenizer,
    vocabSize: number,
    { maxNewTokens, ...options }: GrammarMasksOptions & { maxNewTokens: number },
  ): GrammarMask {
    const key = JSON.stringify([structure, options])
    const masks =
      this.#known.get(key) ?? new GrammarMasks(compileGrammar(structure), TokenTrie.of(tokenizer, vocabSize), options)
    this.#known.delete(key)
    this.#known.set(key, masks)
    if (this.#known.size > MOST_KEPT) this.#known.delete(this.#known.keys().next().value!)
    return masks.mask({ maxNewTokens })
  }
}
