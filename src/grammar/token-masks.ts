// Which tokens may come at each place of a grammar. A token is walked byte by byte within the rule that is open; only where that rule can
// end does what lies below it matter. So what a rule allows is found once for the whole vocabulary, wherever it is called from.

import { type Automaton, BOTTOM, DEAD, type State } from './automaton.ts'
import { type ByteSet, byteSet, hasByte, joinBytes } from './byte-set.ts'
import type { Expression } from './expression-table.ts'
import type { TokenTrie } from './token-trie.ts'

/** What an expression allows behind a node of the trie, as long as it is not over. */
interface Inner {
  /** Tokens that end within it or with it: as bits, or where they are few, as ids. */
  readonly bits: Uint32Array | undefined
  readonly ids: readonly number[]
  /** Nodes at which it may be over while tokens go on. */
  readonly exits: Int32Array
  /** Of all tokens: the most tokens that end what is open after it. */
  readonly mostToClose: number
}

/** What may come at a place. */
export interface Allowed {
  /** Bit i & 31 of word i >>> 5 is id i; with the end tokens where the text may end. */
  readonly bits: Uint32Array
  /** An upper bound of the tokens that end the text, whichever of these comes. */
  readonly mostToClose: number
}

/** Ids that are kept as a list; more are bits. */
const FEW = 512
/** Places whose masks are kept; a mask of 128 k tokens takes 16 kB. */
const MOST_KEPT = 2000

export class TokenMasks {
  readonly automaton: Automaton
  readonly trie: TokenTrie
  readonly #endTokenIds: readonly number[]
  readonly #inner = new Map<number, Inner>()
  readonly #allowed = new Map<State, Allowed>()
  readonly #byClose = new Map<State, readonly (readonly [toClose: number, bits: Uint32Array])[]>()
  readonly #forced = new Map<State, readonly number[]>()
  readonly #toCloseState: (number | undefined)[] = []
  readonly #closeExpression: (number | undefined)[] = []

  /** `endTokenIds`: may come where the text may end. */
  constructor(automaton: Automaton, trie: TokenTrie, endTokenIds: readonly number[]) {
    this.automaton = automaton
    this.trie = trie
    this.#endTokenIds = endTokenIds
  }

  /** After a token; DEAD where it may not come. */
  after(state: State, id: number): State {
    let at = state
    for (const byte of this.trie.texts[id] ?? []) at = this.automaton.step(at, byte)
    return at
  }

  /** What may come at `state`. */
  allowed(state: State): Allowed {
    let found = this.#allowed.get(state)
    if (found === undefined) {
      found = this.#find(state)
      if (this.#allowed.size >= MOST_KEPT) this.#allowed.clear()
      this.#allowed.set(state, found)
    }
    return found
  }

  /** What may come at `state` so that at most `left` tokens more are known to make the text whole. */
  allowedWithin(state: State, left: number): Uint32Array {
    const bits = new Uint32Array(this.allowed(state).bits.length)
    for (const [toClose, some] of this.#classes(state))
      if (toClose <= left) for (let i = 0; i < bits.length; i++) bits[i]! |= some[i]!
    this.#addEnds(bits, state)
    return bits
  }

  /** How many tokens make the text whole from `state` on: the fewest that are known. */
  toClose(state: State): number {
    const known = this.#toCloseState[state]
    if (known !== undefined) return known
    let least = Number.POSITIVE_INFINITY
    for (const stack of this.automaton.stacksOf(state)) least = Math.min(least, this.#toCloseStack(stack))
    this.#toCloseState[state] = least
    return least
  }

  /** These tokens. */
  closing(state: State): number[] {
    const least = this.toClose(state)
    const ids: number[] = []
    const best = this.automaton.stacksOf(state).find((stack) => this.#toCloseStack(stack) === least) ?? BOTTOM
    for (let at = best; at !== BOTTOM; at = this.automaton.belowOf(at))
      ids.push(...(this.trie.greedy(this.automaton.expressions.shortestBytes(this.automaton.topOf(at))) ?? []))
    return ids
  }

  /** The tokens that must come, whichever way the text goes on: those of the only bytes that may, but for an end that a longer token may hold. */
  forced(state: State): readonly number[] {
    let found = this.#forced.get(state)
    if (found === undefined) {
      found = this.#findForced(state)
      this.#forced.set(state, found)
    }
    return found
  }

  #find(state: State): Allowed {
    const bits = new Uint32Array(Math.ceil(this.trie.vocabSize / 32))
    let mostToClose = 0
    const seen = new Set<number>()
    const visit = (stack: number, node: number): void => {
      if (stack === BOTTOM) return
      const key = stack * 2 ** 26 + node
      if (seen.has(key)) return
      seen.add(key)
      this.automaton.expressions.spend(bits.length >>> 5)
      const below = this.automaton.belowOf(stack)
      const top = this.automaton.topOf(stack)
      const inner = this.#innerOf(top, node)
      for (const id of inner.ids) bits[id >>> 5]! |= 1 << (id & 31)
      if (inner.bits !== undefined) for (let i = 0; i < bits.length; i++) bits[i]! |= inner.bits[i]!
      if (inner.mostToClose >= 0) mostToClose = Math.max(mostToClose, inner.mostToClose + this.#toCloseStack(below))
      if (inner.exits.length > 0) {
        // Of a text that may end anywhere there are as many exits as tokens, and few on which what comes next goes on.
        const begins = this.#begins(below)
        for (const exit of inner.exits) if (this.#hasChild(exit, begins)) visit(below, exit)
      }
      if (node !== 0 && this.automaton.expressions.isEmpty(top)) visit(below, node)
    }
    for (const stack of this.automaton.stacksOf(state)) visit(stack, 0)
    this.#addEnds(bits, state)
    return { bits, mostToClose }
  }

  /** The bytes that may come where `stack` is what is expected. */
  #begins(stack: number): ByteSet {
    let found = byteSet([])
    for (let at = stack; at !== BOTTOM; at = this.automaton.belowOf(at)) {
      const top = this.automaton.topOf(at)
      found = joinBytes(found, this.automaton.expressions.begins(top))
      if (!this.automaton.expressions.isEmpty(top)) break
    }
    return found
  }

  #hasChild(node: number, set: ByteSet): boolean {
    const { bytes, ends } = this.trie
    for (let at = node + 1; at < ends[node]!; at = ends[at]!) if (hasByte(set, bytes[at]!)) return true
    return false
  }

  #addEnds(bits: Uint32Array, state: State): void {
    if (this.automaton.isAccepting(state)) for (const id of this.#endTokenIds) bits[id >>> 5]! |= 1 << (id & 31)
  }

  #innerOf(one: Expression, node: number): Inner {
    const key = one * 2 ** 24 + node
    let found = this.#inner.get(key)
    if (found === undefined) {
      const run = node === 0 ? this.automaton.expressions.plainRun(one) : 0
      found = run > 0 ? this.#innerOfRun(one, run) : this.#innerOfAll(one, this.trie, node)
      this.#inner.set(key, found)
    }
    return found
  }

  /** Of a run of characters: plain tokens are allowed as far as they are not too long, and end nothing. */
  #innerOfRun(one: Expression, run: number): Inner {
    const { trie, nodes } = this.trie.rest
    const rest = this.#innerOfAll(one, trie, 0)
    const plain = this.trie.plainUpTo(run)
    return {
      bits: rest.bits === undefined ? plain : rest.bits.map((word, i) => word | plain[i]!),
      ids: rest.ids,
      exits: rest.exits.map((exit) => nodes[exit]!),
      mostToClose: Math.max(rest.mostToClose, this.#toCloseExpression(one)),
    }
  }

  #innerOfAll(one: Expression, trie: TokenTrie, node: number): Inner {
    const { firstIds, ends } = trie
    let bits: Uint32Array | undefined
    const ids: number[] = []
    const exits: number[] = []
    let mostToClose = -1
    const add = (id: number): void => {
      if (bits !== undefined) bits[id >>> 5]! |= 1 << (id & 31)
      else if (ids.push(id) > FEW) {
        bits = new Uint32Array(Math.ceil(trie.vocabSize / 32))
        for (const each of ids.splice(0)) add(each)
      }
    }
    this.#walk(trie, this.automaton.start(one), node, (at, state) => {
      const end = firstIds[at + 1]!
      if (firstIds[at]! < end) {
        for (let i = firstIds[at]!; i < end; i++) add(trie.ids[i]!)
        mostToClose = Math.max(mostToClose, this.toClose(state))
      }
      if (ends[at]! > at + 1 && this.automaton.isAccepting(state)) exits.push(at)
    })
    return { bits, ids, exits: Int32Array.from(exits), mostToClose }
  }

  /** All nodes behind `node` that may come, and the states after them. */
  #walk(trie: TokenTrie, start: State, node: number, at: (node: number, state: State) => void): void {
    const { bytes, depths, ends, longest } = trie
    const { automaton } = this
    const states = new Int32Array(longest + 1)
    const rows: Int32Array[] = new Array(longest + 1)
    states[depths[node]!] = start
    rows[depths[node]!] = automaton.row(start)
    const end = ends[node]!
    let seen = 0
    for (let i = node + 1; i < end; seen++) {
      const depth = depths[i]!
      const known = rows[depth - 1]![bytes[i]!]!
      const state = known >= 0 ? known : automaton.step(states[depth - 1]!, bytes[i]!)
      if (state === DEAD) {
        i = ends[i]!
        continue
      }
      states[depth] = state
      rows[depth] = automaton.row(state)
      at(i, state)
      i++
    }
    automaton.expressions.spend(seen >>> 3)
  }

  /** The tokens that may come, by how many more end the text after them. */
  #classes(state: State): readonly (readonly [toClose: number, bits: Uint32Array])[] {
    let found = this.#byClose.get(state)
    if (found === undefined) {
      const classes = new Map<number, Uint32Array>()
      const { firstIds, ids, vocabSize } = this.trie
      this.#walk(this.trie, state, 0, (at, after) => {
        if (firstIds[at]! === firstIds[at + 1]!) return
        const toClose = this.toClose(after)
        let bits = classes.get(toClose)
        if (bits === undefined) {
          bits = new Uint32Array(Math.ceil(vocabSize / 32))
          classes.set(toClose, bits)
        }
        for (let i = firstIds[at]!; i < firstIds[at + 1]!; i++) bits[ids[i]! >>> 5]! |= 1 << (ids[i]! & 31)
      })
      found = [...classes]
      if (this.#byClose.size >= MOST_KEPT / 4) this.#byClose.clear()
      this.#byClose.set(state, found)
    }
    return found
  }

  #toCloseStack(stack: number): number {
    let sum = 0
    for (let at = stack; at !== BOTTOM; at = this.automaton.belowOf(at))
      sum += this.#toCloseExpression(this.automaton.topOf(at))
    return sum
  }

  #toCloseExpression(one: Expression): number {
    this.#closeExpression[one] ??= this.#tokensOf(this.automaton.expressions.shortestBytes(one))
    return this.#closeExpression[one]
  }

  #tokensOf(bytes: readonly number[]): number {
    return this.trie.greedy(bytes)?.length ?? Number.POSITIVE_INFINITY
  }

  #findForced(state: State): number[] {
    const bytes: number[] = []
    const states = [state]
    for (let at = state; ; ) {
      const byte = this.automaton.onlyByte(at)
      if (byte < 0 || bytes.length > 4096) break
      bytes.push(byte)
      at = this.automaton.step(at, byte)
      states.push(at)
    }
    // An ending that is the beginning of a longer token is left to the model, which may want that one.
    let keep = bytes.length
    for (let from = bytes.length - 1; from >= Math.max(0, bytes.length - this.trie.longest); from--) {
      let node = 0
      for (let i = from; i < bytes.length && node >= 0; i++) node = this.trie.child(node, bytes[i]!)
      if (node >= 0 && this.#goesOn(node, states.at(-1)!)) keep = from
    }
    let end = 0
    return (this.trie.spell(bytes) ?? []).filter((id) => {
      end += this.trie.texts[id]!.length
      return end <= keep
    })
  }

  /** Whether a token goes on from `node` as the grammar may from `state`. */
  #goesOn(node: number, state: State): boolean {
    let is = false
    this.#walk(this.trie, state, node, () => {
      is = true
    })
    return is
  }
}
