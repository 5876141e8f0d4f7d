// What a grammar still expects is an expression, and after a byte it is another one, its derivative (Brzozowski 1964 for the regular ones, with `and` and `not`; Antimirov's sets, 1996, where rules are called).
// Nothing is built ahead: a count of 10,000 costs as little as one of ten until so many characters have come.

import { UsageError } from '../errors.ts'
import { type ByteSet, byteSet, hasByte, joinBytes } from './byte-set.ts'
import { type Expression, ExpressionTable } from './expression-table.ts'
import { PLAIN_STARTS } from './plain.ts'

/** What is expected after a byte: from the innermost rule that is open to the outermost. The last one is what the asked one became. */
export type Path = readonly Expression[]

const NOWHERE: readonly Path[] = []

/** Derivatives that are looked through for the shortest text of an intersection or a complement. */
const MOST_SEARCHED = 20_000
/** Bytes of the shortest text of a part: near the limit of tokens it is spelt out. */
const MOST_SHORTEST = 8192
/** Bytes of the shortest texts that are kept. */
const MOST_KEPT_BYTES = 512
/** Readings of one part after one byte: beyond it a grammar is too ambiguous to be followed. */
const MOST_PATHS = 1024

/** The expressions of one grammar, and what can be asked of them once they are settled. */
export class Expressions extends ExpressionTable {
  /** By rule: what `settle` has found. */
  readonly #shortestRules: number[] = []
  #settled = 0
  #settledNodes = 0
  readonly #derivatives = new Map<number, Expression>()
  readonly #paths = new Map<number, readonly Path[]>()
  readonly #plainRuns = new Map<Expression, number>()
  readonly #begins: (ByteSet | undefined)[] = []
  readonly #shortest: (number | undefined)[] = []
  readonly #shortestBytes: (readonly number[] | undefined)[] = []

  /**
   * Finds what the rules made since the last time can be: which are empty and how short they may be. Before any question is asked.
   * UsageError for a rule that calls itself before anything else.
   */
  settle(): void {
    const first = this.#settled
    for (let rule = first; rule < this.bodies.length; rule++) {
      this.emptyRules[rule] = false
      this.#shortestRules[rule] = Number.POSITIVE_INFINITY
    }
    this.#settled = this.bodies.length
    // Forwards and backwards in turn: whichever way rules call each other, one of the two soon has it.
    for (let isChanged = true, isBack = false; isChanged; isBack = !isBack) {
      isChanged = false
      this.spend((this.bodies.length - first + this.nodes.length - this.#settledNodes) >>> 2)
      // What was found for expressions above a rule that has changed no longer holds.
      this.#forgetCalls()
      for (let i = first; i < this.bodies.length; i++) {
        const rule = isBack ? this.bodies.length - 1 - (i - first) : i
        const [empty, shortest] = [this.isEmpty(this.bodies[rule]!), this.shortest(this.bodies[rule]!)]
        if (empty === this.emptyRules[rule] && shortest === this.#shortestRules[rule]) continue
        this.emptyRules[rule] = empty
        this.#shortestRules[rule] = shortest
        isChanged = true
      }
    }
    this.#settledNodes = this.nodes.length
    this.#refuseLeftRecursion(first)
  }

  /** Bytes of its shortest text; Infinity where it matches none. */
  shortest(one: Expression): number {
    this.#shortest[one] ??= this.#findShortest(one)
    return this.#shortest[one]
  }

  /** Its shortest text, or one of them. */
  shortestBytes(one: Expression): readonly number[] {
    const known = this.#shortestBytes[one]
    if (known !== undefined) return known
    const found = this.#findShortestBytes(one)
    this.spend(found.length)
    // Each count of a long run has a text of its own: kept, they would be as much as its square.
    if (found.length <= MOST_KEPT_BYTES) this.#shortestBytes[one] = found
    return found
  }

  /** UsageError for a part whose shortest text is too long to be spelt out. */
  refuseLong(): void {
    for (const [one, { kind }] of this.nodes.entries()) {
      const bytes = kind === 'seq' || kind === 'repeat' ? this.shortest(one) : 0
      if (bytes > MOST_SHORTEST && bytes < Number.POSITIVE_INFINITY)
        throw new UsageError(
          `grammar: expected parts whose shortest text has at most ${MOST_SHORTEST} bytes, got one of ${bytes}. Make its least counts smaller`,
        )
    }
  }

  /** What is expected after `byte`: nothing where there is no path. */
  paths(one: Expression, byte: number): readonly Path[] {
    if (!hasByte(this.begins(one), byte)) return NOWHERE
    const key = one * 256 + byte
    let found = this.#paths.get(key)
    if (found === undefined) {
      const unique = new Map<string, Path>()
      for (const path of this.#findPaths(one, byte))
        if (path.every((part) => this.shortest(part) < Number.POSITIVE_INFINITY)) unique.set(path.join(), path)
      if (unique.size > MOST_PATHS)
        throw new UsageError(
          `grammar: expected at most ${MOST_PATHS} readings of a byte, got more. Make it less ambiguous`,
        )
      this.spend(unique.size + 1)
      found = [...unique.values()]
      this.#paths.set(key, found)
    }
    return found
  }

  /** The bytes that its texts may begin with, and maybe others. */
  begins(one: Expression): ByteSet {
    this.#begins[one] ??= this.#findBegins(one)
    return this.#begins[one]
  }

  #findBegins(one: Expression): ByteSet {
    const { kind, of, set, rule } = this.nodes[one]!
    switch (kind) {
      case 'none':
      case 'empty':
        return byteSet([])
      case 'bytes':
        return set!
      case 'not':
        return byteSet([[0, 255]])
      case 'seq':
        return this.isEmpty(of[0]!) ? joinBytes(this.begins(of[0]!), this.begins(of[1]!)) : this.begins(of[0]!)
      case 'or':
        return of.map((part) => this.begins(part)).reduce(joinBytes)
      case 'and':
      case 'repeat':
        return this.begins(of[0]!)
      case 'call':
        return this.begins(this.bodies[rule!]!)
    }
  }

  /** The derivative of a regular expression. */
  derivative(one: Expression, byte: number): Expression {
    if (!hasByte(this.begins(one), byte)) return this.none
    const key = one * 256 + byte
    let found = this.#derivatives.get(key)
    if (found === undefined) {
      found = this.#derive(one, byte)
      this.#derivatives.set(key, found)
    }
    return found
  }

  /**
   * How many plain characters may come where `one` begins with a run of characters, behind which no plain one may; 0 where it does not. Nearly
   * all tokens are made of plain characters, so within strings they need not be looked at one by one.
   */
  plainRun(one: Expression): number {
    let found = this.#plainRuns.get(one)
    if (found === undefined) {
      const { kind, of } = this.nodes[one]!
      const run = this.nodes[of[0] ?? 0]!
      const isRun = kind === 'seq' && run.kind === 'repeat' && this.characters.has(run.of[0]!)
      const isOver =
        isRun && !this.isEmpty(of[1]!) && PLAIN_STARTS.every((byte) => this.paths(of[1]!, byte).length === 0)
      found = isOver ? run.max! : 0
      this.#plainRuns.set(one, found)
    }
    return found
  }

  /** Whether a regular expression matches these bytes as a whole. */
  matches(one: Expression, bytes: Iterable<number>): boolean {
    let rest = one
    for (const byte of bytes) rest = this.derivative(rest, byte)
    return this.isEmpty(rest)
  }

  #forgetCalls(): void {
    for (let i = this.#settledNodes; i < this.nodes.length; i++)
      if (!this.nodes[i]!.isRegular) {
        this.emptiness[i] = undefined
        this.#shortest[i] = undefined
      }
  }

  #findShortest(one: Expression): number {
    const { kind, of, min, rule } = this.nodes[one]!
    switch (kind) {
      case 'none':
        return Number.POSITIVE_INFINITY
      case 'empty':
        return 0
      case 'bytes':
        return 1
      case 'seq': {
        // Long literals are long lists.
        let sum = 0
        let rest = one
        for (
          let node = this.nodes[rest]!;
          node.kind === 'seq' && this.#shortest[rest] === undefined;
          node = this.nodes[rest]!
        ) {
          sum += this.shortest(node.of[0]!)
          rest = node.of[1]!
        }
        return sum + this.shortest(rest)
      }
      case 'or':
        return Math.min(...of.map((part) => this.shortest(part)))
      case 'repeat':
        return min === 0 ? 0 : min! * this.shortest(of[0]!)
      case 'call':
        return this.#shortestRules[rule!]!
      case 'and':
      case 'not':
        return this.#search(one)?.length ?? Number.POSITIVE_INFINITY
    }
  }

  #findShortestBytes(one: Expression): readonly number[] {
    const { kind, of, min, rule, set } = this.nodes[one]!
    switch (kind) {
      case 'none':
      case 'empty':
        return []
      case 'bytes':
        return [pleasant(set!)]
      case 'seq': {
        const bytes: number[] = []
        let rest = one
        for (let node = this.nodes[rest]!; node.kind === 'seq'; node = this.nodes[rest]!) {
          for (const byte of this.shortestBytes(node.of[0]!)) bytes.push(byte)
          rest = node.of[1]!
        }
        return bytes.concat(this.shortestBytes(rest))
      }
      case 'or':
        return this.shortestBytes(of.reduce((best, part) => (this.shortest(part) < this.shortest(best) ? part : best)))
      case 'repeat':
        return min === 0 ? [] : Array.from({ length: min! }, () => this.shortestBytes(of[0]!)).flat()
      case 'call':
        return this.shortestBytes(this.bodies[rule!]!)
      case 'and':
      case 'not':
        return this.#search(one) ?? []
    }
  }

  /** The shortest text of a regular expression, breadth first through its derivatives; undefined where it has none. */
  #search(one: Expression): readonly number[] | undefined {
    const from = new Map<Expression, { before: Expression; byte: number }>()
    const order = [one]
    for (let i = 0; i < order.length; i++) {
      const at = order[i]!
      if (this.isEmpty(at)) {
        const bytes: number[] = []
        for (let back = at; back !== one; back = from.get(back)!.before) bytes.push(from.get(back)!.byte)
        return bytes.reverse()
      }
      for (const byte of this.#representatives(at)) {
        const next = this.derivative(at, byte)
        if (next === this.none || next === one || from.has(next)) continue
        from.set(next, { before: at, byte })
        order.push(next)
      }
      if (order.length > MOST_SEARCHED)
        throw new UsageError(
          `grammar: expected an intersection of at most ${MOST_SEARCHED} states, got more. Make its patterns simpler`,
        )
    }
    return undefined
  }

  /** One byte for each group of bytes that lead to the same derivative (or finer). */
  #representatives(one: Expression): number[] {
    const classes = new Uint16Array(256)
    const split = (set: ByteSet): void => {
      const named = new Map<number, number>()
      for (let byte = 0; byte < 256; byte++) {
        const key = classes[byte]! * 2 + (hasByte(set, byte) ? 1 : 0)
        if (!named.has(key)) named.set(key, named.size)
        classes[byte] = named.get(key)!
      }
    }
    const seen = new Set<Expression>()
    const visit = (part: Expression): void => {
      if (seen.has(part)) return
      seen.add(part)
      this.spend(16)
      const { kind, of, set } = this.nodes[part]!
      if (kind === 'bytes') split(set!)
      else if (kind === 'seq') {
        visit(of[0]!)
        if (this.isEmpty(of[0]!)) visit(of[1]!)
      } else of.forEach(visit)
    }
    visit(one)
    const first = new Map<number, number>()
    for (const byte of BY_PLEASURE) if (!first.has(classes[byte]!)) first.set(classes[byte]!, byte)
    return [...first.values()]
  }

  #derive(one: Expression, byte: number): Expression {
    const { kind, of, set, min, max } = this.nodes[one]!
    this.spend(of.length + 1)
    switch (kind) {
      case 'none':
      case 'empty':
        return this.none
      case 'bytes':
        return hasByte(set!, byte) ? this.empty : this.none
      case 'seq': {
        const first = this.seq(this.derivative(of[0]!, byte), of[1]!)
        return this.isEmpty(of[0]!) ? this.or(first, this.derivative(of[1]!, byte)) : first
      }
      case 'or':
        return this.or(...of.map((part) => this.derivative(part, byte)))
      case 'and':
        return this.and(...of.map((part) => this.derivative(part, byte)))
      case 'not':
        return this.not(this.derivative(of[0]!, byte))
      case 'repeat':
        return this.seq(this.derivative(of[0]!, byte), this.repeat(of[0]!, Math.max(min! - 1, 0), max! - 1))
      case 'call':
        throw new Error('a call has paths')
    }
  }

  #findPaths(one: Expression, byte: number): Path[] {
    const { kind, of, min, max, rule, isRegular } = this.nodes[one]!
    this.spend(of.length + 1)
    if (isRegular) {
      const next = this.derivative(one, byte)
      return next === this.none ? [] : [[next]]
    }
    const then = (path: Path, rest: Expression): Path => [...path.slice(0, -1), this.seq(path.at(-1)!, rest)]
    switch (kind) {
      case 'seq': {
        const first = this.paths(of[0]!, byte).map((path) => then(path, of[1]!))
        return this.isEmpty(of[0]!) ? [...first, ...this.paths(of[1]!, byte)] : first
      }
      case 'or':
        return of.flatMap((part) => this.paths(part, byte))
      case 'repeat': {
        const rest = this.repeat(of[0]!, Math.max(min! - 1, 0), max! - 1)
        return this.paths(of[0]!, byte).map((path) => then(path, rest))
      }
      case 'call':
        return this.paths(this.bodies[rule!]!, byte).map((path) => [...path, this.empty])
      default:
        throw new Error(`a ${kind} is regular`)
    }
  }

  #refuseLeftRecursion(first: number): void {
    const heads = (one: Expression, out: Set<number>): void => {
      const { kind, of, rule } = this.nodes[one]!
      if (kind === 'call') out.add(rule!)
      else if (kind === 'seq') {
        heads(of[0]!, out)
        if (this.isEmpty(of[0]!)) heads(of[1]!, out)
      } else for (const part of of) heads(part, out)
    }
    const state = new Map<number, 'open' | 'done'>()
    const visit = (rule: number): void => {
      if (rule < first || state.get(rule) === 'done') return
      if (state.get(rule) === 'open')
        throw new UsageError(
          `grammar: expected each rule to begin with something of its own, got '${this.ruleNames[rule]}', which begins with itself. Write a repetition, or the recursion behind something`,
        )
      state.set(rule, 'open')
      const called = new Set<number>()
      heads(this.bodies[rule]!, called)
      called.forEach(visit)
      state.set(rule, 'done')
    }
    for (let rule = first; rule < this.bodies.length; rule++) visit(rule)
  }
}

/** Bytes in the order in which they are taken for a filling: small letters, digits, then as they are. */
const BY_PLEASURE: readonly number[] = [
  ...Array.from({ length: 26 }, (_, i) => 97 + i),
  ...Array.from({ length: 10 }, (_, i) => 48 + i),
  ...Array.from({ length: 95 }, (_, i) => 32 + i),
  ...Array.from({ length: 256 }, (_, i) => i),
]

function pleasant(set: ByteSet): number {
  return BY_PLEASURE.find((byte) => hasByte(set, byte))!
}
