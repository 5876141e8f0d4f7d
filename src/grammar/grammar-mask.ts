// A grammar as the mask that a generation asks before each token: it follows the text, lets nothing come that the grammar does not allow,
// says which tokens must come, and near the last token ends what is open.

import { UsageError } from '../errors.ts'
import { answering } from './answering.ts'
import { Automaton, DEAD, type State } from './automaton.ts'
import type { Expression } from './expression-table.ts'
import type { Expressions } from './expressions.ts'
import { type Grammar, partsOf } from './grammar.ts'
import { TokenMasks } from './token-masks.ts'
import type { TokenTrie } from './token-trie.ts'

/** What one text is bound by. */
export interface GrammarMaskOptions {
  /** Tokens that the text may have: near the last one only what ends it in time may come. Default: no bound. */
  maxNewTokens?: number
}

/** States after which what is known is given up, so that long texts take bounded memory. */
const MOST_STATES = 100_000

/** What follows a grammar in the tokens of one model. */
export interface GrammarMasksOptions {
  /** Tokens that may come where the text may end. */
  endTokenIds: readonly number[]
  /** Spaces that may come before the text, where the tokenizer drops them from the beginning of one. Default 0. */
  leadingSpaces?: number
}

/** A grammar over one vocabulary; what it learns serves all texts that follow it. */
export class GrammarMasks {
  readonly #make: () => TokenMasks
  readonly #expressions: Expressions
  readonly #root: Expression
  #masks: TokenMasks
  #start: State

  constructor(grammar: Grammar, trie: TokenTrie, { endTokenIds, leadingSpaces = 0 }: GrammarMasksOptions) {
    const { expressions, root } = partsOf(grammar)
    this.#expressions = expressions
    this.#make = () => new TokenMasks(new Automaton(expressions), trie, endTokenIds)
    this.#root = expressions.seq(expressions.repeat(expressions.literal(Uint8Array.of(0x20)), 0, leadingSpaces), root)
    this.#masks = this.#make()
    this.#start = this.#masks.automaton.start(this.#root)
  }

  /** Parts of the grammar that are known: those that it was compiled to, and those that texts have led to since. */
  get size(): number {
    return this.#expressions.size
  }

  /** Tokens that the shortest text takes, as far as is known. */
  get shortest(): number {
    return answering(this.#expressions, () => this.#masks.toClose(this.#start))
  }

  /** The mask of one text. UsageError where no whole text has as few tokens as `maxNewTokens`. */
  mask({ maxNewTokens = Number.POSITIVE_INFINITY }: GrammarMaskOptions = {}): GrammarMask {
    if (this.shortest > maxNewTokens)
      throw new UsageError(
        `max_new_tokens: expected at least ${this.shortest} for a whole answer of this structure, got ${maxNewTokens}`,
      )
    return answering(this.#expressions, () => new GrammarFollower(() => this.#fresh(), maxNewTokens).mask)
  }

  /** What to follow a text with: the old one until it has grown too large. */
  #fresh(): { masks: TokenMasks; start: State } {
    if (this.#masks.automaton.size > MOST_STATES) {
      this.#masks = this.#make()
      this.#start = this.#masks.automaton.start(this.#root)
    }
    return { masks: this.#masks, start: this.#start }
  }
}

/** Which tokens may come after those that were made so far, as bits: a `TokenMask` of `anneal/lm` that knows more. */
export interface GrammarMask {
  (tokenIds: readonly number[]): Uint32Array
  /** The tokens that must come next, whichever way the text goes on. */
  forced(tokenIds: readonly number[]): readonly number[]
  /** Whether the text may end here. */
  isWhole(tokenIds: readonly number[]): boolean
}

class GrammarFollower {
  readonly mask: GrammarMask
  readonly #fresh: () => { masks: TokenMasks; start: State }
  readonly #most: number
  #masks: TokenMasks
  /** By number of tokens: where the text stood, and what had to come. */
  #states: State[]
  #forced: (readonly number[])[]
  /** Made where few tokens are left. */
  #plans: (readonly number[] | undefined)[] = []
  readonly #ids: number[] = []

  constructor(fresh: () => { masks: TokenMasks; start: State }, most: number) {
    this.#fresh = fresh
    this.#most = most
    const { masks, start } = fresh()
    this.#masks = masks
    this.#states = [start]
    this.#forced = [masks.forced(start)]
    const { expressions } = masks.automaton
    this.mask = Object.assign((ids: readonly number[]) => answering(expressions, () => this.#allowed(ids)), {
      forced: (ids: readonly number[]) =>
        answering(expressions, () => {
          this.#follow(ids)
          return this.#ahead(ids)
        }),
      isWhole: (ids: readonly number[]) =>
        answering(expressions, () => this.#masks.automaton.isAccepting(this.#follow(ids))),
    })
  }

  #allowed(ids: readonly number[]): Uint32Array {
    const state = this.#follow(ids)
    const ahead = this.#ahead(ids)
    if (ahead.length > 0) {
      const bits = new Uint32Array(Math.ceil(this.#masks.trie.vocabSize / 32))
      bits[ahead[0]! >>> 5]! |= 1 << (ahead[0]! & 31)
      return bits
    }
    const left = this.#most - ids.length - 1
    const all = this.#masks.allowed(state)
    if (all.mostToClose <= left) return all.bits
    const bits = this.#masks.allowedWithin(state, left)
    const [next] = this.#planAt(ids.length)
    if (next !== undefined) bits[next >>> 5]! |= 1 << (next & 31)
    return bits
  }

  /** What must come, where the text can be whole in time after it. */
  #ahead(ids: readonly number[]): readonly number[] {
    const forced = this.#forced[ids.length]!
    if (forced.length === 0 || this.#most === Number.POSITIVE_INFINITY) return forced
    const after = this.#masks.after(this.#states[ids.length]!, forced[0]!)
    return this.#masks.toClose(after) < this.#most - ids.length ? forced : []
  }

  /**
   * Tokens that make the text whole from there on, never more than are left: what is found there, or the rest of the plan before, where the
   * text has followed it and that is shorter. Without it a text might lose its last way, as the fewest tokens are not known, only few.
   */
  #planAt(length: number): readonly number[] {
    let plan = this.#plans[length]
    if (plan === undefined) {
      plan = this.#masks.closing(this.#states[length]!)
      const [next, ...rest] = this.#plans[length - 1] ?? []
      if (next !== undefined && next === this.#ids[length - 1] && rest.length < plan.length) plan = rest
      this.#plans[length] = plan
    }
    return plan
  }

  /** Where the text stands after `ids`; they may be others than the last time. */
  #follow(ids: readonly number[]): State {
    let shared = 0
    while (shared < ids.length && shared < this.#ids.length && ids[shared] === this.#ids[shared]) shared++
    if (this.#masks.automaton.size > MOST_STATES) {
      const { masks, start } = this.#fresh()
      this.#masks = masks
      this.#states = [start]
      this.#forced = [masks.forced(start)]
      shared = 0
    }
    this.#ids.length = shared
    this.#states.length = shared + 1
    this.#forced.length = shared + 1
    this.#plans.length = Math.min(this.#plans.length, shared + 1)
    for (const id of ids.slice(shared)) {
      const state = this.#masks.after(this.#states.at(-1)!, id)
      const [first, ...rest] = this.#forced.at(-1)!
      this.#ids.push(id)
      this.#states.push(state)
      this.#forced.push(first === id && rest.length > 0 ? rest : state === DEAD ? [] : this.#masks.forced(state))
    }
    return this.#states.at(-1)!
  }
}
