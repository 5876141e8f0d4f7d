// A text that grows and has to keep to a grammar, without tokens: what a checker of streams or a made-up model asks.

import { answering } from './answering.ts'
import { Automaton, DEAD, type State } from './automaton.ts'
import { type Grammar, partsOf } from './grammar.ts'

const encoder = new TextEncoder()

/** A text of a grammar as it grows, part by part. */
export class StructuredText {
  readonly #automaton: Automaton
  #state: State

  constructor(grammar: Grammar) {
    const { expressions, root } = partsOf(grammar)
    this.#automaton = new Automaton(expressions)
    this.#state = answering(expressions, () => this.#automaton.start(root))
  }

  /** Whether the text may end here. */
  get isWhole(): boolean {
    return this.#automaton.isAccepting(this.#state)
  }

  /** Whether this may come next. */
  allows(text: string): boolean {
    return this.#after(text) !== DEAD
  }

  /** Whether the text may end behind this, if it came next. */
  mayEndAfter(text: string): boolean {
    const state = this.#after(text)
    return state !== DEAD && this.#automaton.isAccepting(state)
  }

  /** Takes what has come; false where it may not, and from there on. */
  push(text: string): boolean {
    this.#state = this.#after(text)
    return this.#state !== DEAD
  }

  #after(text: string): State {
    return answering(this.#automaton.expressions, () => {
      let at = this.#state
      for (const byte of encoder.encode(text)) at = this.#automaton.step(at, byte)
      return at
    })
  }
}
