// Where a text stands in a grammar, as one number: the set of stacks of what is still expected, from the rule that is open innermost to the
// outermost. Stacks share their lower ends and equal sets are one, so that a place in a string of a given field is the same number as
// often as it comes, whose next bytes and tokens are known already; going back is taking an older number.

import { UsageError } from '../errors.ts'
import type { Expression } from './expression-table.ts'
import type { Expressions } from './expressions.ts'

/** A set of stacks. */
export type State = number

/** Nothing may come, and the text is not whole: no state at all. */
export const DEAD: State = 0
/** The end of every stack. */
export const BOTTOM = 0

/** Stacks of one state: beyond it a grammar is too ambiguous to be followed. */
const MOST_STACKS = 1024

export class Automaton {
  readonly expressions: Expressions
  /** By stack: what its top expects, and the stack below it. */
  readonly #tops: Expression[] = [0]
  readonly #below: number[] = [BOTTOM]
  readonly #stacks = new Map<number, number>()
  readonly #states: (readonly number[])[] = [[]]
  readonly #known = new Map<string, State>([['', DEAD]])
  readonly #next: (Int32Array | undefined)[] = []

  constructor(expressions: Expressions) {
    this.expressions = expressions
  }

  /** How many states there are. */
  get size(): number {
    return this.#states.length
  }

  /** The stacks of a state; BOTTOM among them where the text may end. */
  stacksOf(state: State): readonly number[] {
    return this.#states[state]!
  }

  topOf(stack: number): Expression {
    return this.#tops[stack]!
  }

  belowOf(stack: number): number {
    return this.#below[stack]!
  }

  /** Before anything has come. */
  start(one: Expression): State {
    const members = new Set<number>()
    if (this.expressions.shortest(one) < Number.POSITIVE_INFINITY) this.#close(this.#push(one, BOTTOM), members)
    return this.#state(members)
  }

  /** After one byte more; DEAD where it may not come. */
  step(state: State, byte: number): State {
    const row = this.row(state)
    if (row[byte]! >= 0) return row[byte]!
    const members = new Set<number>()
    this.expressions.spend(this.#states[state]!.length + 1)
    for (const stack of this.#states[state]!) {
      if (stack === BOTTOM) continue
      for (const path of this.expressions.paths(this.#tops[stack]!, byte)) {
        let top = this.#below[stack]!
        // A rule with nothing more to come gives way to the one below it.
        for (const part of path.toReversed()) if (part !== this.expressions.empty) top = this.#push(part, top)
        this.#close(top, members)
      }
    }
    const next = this.#state(members)
    row[byte] = next
    return next
  }

  /** By byte: the state after it; −1 where nobody has asked yet. */
  row(state: State): Int32Array {
    this.#next[state] ??= new Int32Array(256).fill(-1)
    return this.#next[state]
  }

  /** Whether the text is whole. */
  isAccepting(state: State): boolean {
    return this.#states[state]![0] === BOTTOM
  }

  /** The one byte that may come; −1 where there are several, none, or where the text may end. */
  onlyByte(state: State): number {
    if (this.isAccepting(state)) return -1
    let only = -1
    for (let byte = 0; byte < 256; byte++) {
      if (this.step(state, byte) === DEAD) continue
      if (only >= 0) return -1
      only = byte
    }
    return only
  }

  #push(part: Expression, below: number): number {
    const key = part * 2 ** 26 + below
    let stack = this.#stacks.get(key)
    if (stack === undefined) {
      stack = this.#tops.length
      this.#tops.push(part)
      this.#below.push(below)
      this.#stacks.set(key, stack)
    }
    return stack
  }

  /** Adds a stack, and those below it as far as what is above them may be empty. */
  #close(stack: number, members: Set<number>): void {
    for (let at = stack; !members.has(at); at = this.#below[at]!) {
      members.add(at)
      if (at === BOTTOM || !this.expressions.isEmpty(this.#tops[at]!)) return
    }
  }

  #state(members: Set<number>): State {
    if (members.size > MOST_STACKS)
      throw new UsageError(
        `grammar: expected at most ${MOST_STACKS} readings of a text, got more. Make it less ambiguous`,
      )
    const stacks = [...members].sort((a, b) => a - b)
    const key = stacks.join()
    let state = this.#known.get(key)
    if (state === undefined) {
      state = this.#states.length
      this.#states.push(stacks)
      this.#known.set(key, state)
    }
    return state
  }
}
