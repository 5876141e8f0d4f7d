// Expressions over bytes, each made once and known by a number: sets of bytes, sequences, alternatives, counts, calls of rules, and of what
// is regular intersections and complements. Equal ones are the same number, and what is plainly nothing or everything is made so.

import { UsageError } from '../errors.ts'
import { type ByteSet, byteSet, joinBytes } from './byte-set.ts'

/** Steps for one answer (a structure that is compiled, a mask): one or two seconds. */
const MOST_STEPS = 2_000_000

/** An expression of one table. */
export type Expression = number
export type Kind = 'none' | 'empty' | 'bytes' | 'seq' | 'or' | 'and' | 'not' | 'repeat' | 'call'
export interface Node {
  readonly kind: Kind
  /** Operands: of `seq` two, of `not` and `repeat` one. */
  readonly of: readonly Expression[]
  readonly set?: ByteSet
  readonly min?: number
  readonly max?: number
  readonly rule?: number
  readonly isRegular: boolean
}

export class ExpressionTable {
  /** Matches nothing, not even the empty text. */
  readonly none: Expression = 0
  /** Matches the empty text. */
  readonly empty: Expression = 1
  /** Matches every text. */
  readonly anything: Expression
  /** Expressions of one character, by which a plain one (`isPlain`) may always be read. */
  readonly characters: Set<Expression> = new Set()
  /** Expressions that there may be; UsageError beyond. */
  most: number = Number.POSITIVE_INFINITY

  protected readonly nodes: Node[] = []
  #steps = 0
  readonly #known = new Map<string, Expression>()
  /** Bodies of rules; undefined while a rule is only declared. */
  protected readonly bodies: (Expression | undefined)[] = []
  protected readonly ruleNames: string[] = []
  readonly #framed = new Map<Expression, Expression>()
  /** By rule: whether it matches the empty text, once that is known. */
  protected readonly emptyRules: boolean[] = []
  protected readonly emptiness: (boolean | undefined)[] = []

  constructor() {
    this.#make('none', 'none', { of: [] })
    this.#make('empty', 'empty', { of: [] })
    this.anything = this.not(this.none)
  }

  get size(): number {
    return this.nodes.length
  }

  /** A new answer is begun, and may take its own steps. */
  begin(): void {
    this.#steps = 0
  }

  /** UsageError where an answer takes too many: no text may stop the process that makes others too. */
  spend(steps: number): void {
    this.#steps += steps
    if (this.#steps > MOST_STEPS)
      throw new UsageError(
        `grammar: expected a place whose next bytes are found in ${MOST_STEPS} steps, got more. Make it less ambiguous: fewer counts within counts, fewer alternatives that begin alike`,
      )
  }

  /** One byte of a set. */
  bytes(set: ByteSet): Expression {
    if (set.every((word) => word === 0)) return this.none
    return this.#make(`b${set.join(',')}`, 'bytes', { of: [], set })
  }

  /** These bytes, one after another. */
  literal(bytes: Uint8Array): Expression {
    let made = this.empty
    for (let i = bytes.length - 1; i >= 0; i--) made = this.#pair(this.bytes(byteSet([[bytes[i]!, bytes[i]!]])), made)
    return made
  }

  /** One of these texts: as a tree of what they begin with alike, so that a byte is asked of few alternatives and not of all. */
  literals(texts: readonly Uint8Array[]): Expression {
    return this.#tree(
      texts.toSorted((a, b) => Buffer.compare(a, b)),
      0,
    )
  }

  /** Of sorted texts that are alike up to `from`. */
  #tree(texts: readonly Uint8Array[], from: number): Expression {
    const [first, last] = [texts[0], texts.at(-1)!]
    if (first === undefined) return this.none
    let shared = from
    while (shared < first.length && first[shared] === last[shared]) shared++
    const options: Expression[] = []
    for (let i = 0; i < texts.length; ) {
      const byte = texts[i]![shared]
      let end = i + 1
      while (end < texts.length && texts[end]![shared] === byte) end++
      options.push(
        byte === undefined
          ? this.empty
          : this.seq(this.literal(Uint8Array.of(byte)), this.#tree(texts.slice(i, end), shared + 1)),
      )
      i = end
    }
    return this.seq(this.literal(first.subarray(from, shared)), this.or(...options))
  }

  seq(...parts: readonly Expression[]): Expression {
    let made = this.empty
    for (const part of parts.toReversed()) {
      if (made === this.none || part === this.none) return this.none
      // A sequence is a list, so that equal ones are the same however they were put together.
      const heads: Expression[] = []
      let rest = part
      for (let node = this.nodes[rest]!; node.kind === 'seq'; node = this.nodes[rest]!) {
        heads.push(node.of[0]!)
        rest = node.of[1]!
      }
      heads.push(rest)
      for (const head of heads.toReversed()) made = this.#pair(head, made)
    }
    return made
  }

  or(...options: readonly Expression[]): Expression {
    const parts = new Set<Expression>()
    let set: ByteSet | undefined
    const add = (part: Expression): void => {
      const node = this.nodes[part]!
      if (node.kind === 'or') node.of.forEach(add)
      else if (node.kind === 'bytes') set = set === undefined ? node.set! : joinBytes(set, node.set!)
      else if (part !== this.none) parts.add(part)
    }
    options.forEach(add)
    if (parts.has(this.anything)) return this.anything
    if (set !== undefined) parts.add(this.bytes(set))
    const others = [...parts].filter((part) => part !== this.empty)
    if (parts.has(this.empty) && others.some((part) => this.nodes[part]!.isRegular && this.isEmpty(part)))
      parts.delete(this.empty)
    return this.#list('or', [...parts], this.none)
  }

  /** What all of them match; regular ones only. */
  and(...all: readonly Expression[]): Expression {
    const parts = new Set<Expression>()
    const add = (part: Expression): void => {
      this.#wantRegular(part)
      if (this.nodes[part]!.kind === 'and') this.nodes[part]!.of.forEach(add)
      else if (part !== this.anything) parts.add(part)
    }
    all.forEach(add)
    return parts.has(this.none) ? this.none : this.#list('and', [...parts], this.anything)
  }

  /** All that it does not match; a regular one. */
  not(one: Expression): Expression {
    this.#wantRegular(one)
    const node = this.nodes[one]!
    return node.kind === 'not' ? node.of[0]! : this.#make(`n${one}`, 'not', { of: [one] })
  }

  /** From `min` to `max` times. */
  repeat(one: Expression, min: number, max: number = Number.POSITIVE_INFINITY): Expression {
    if (max < min) return this.none
    if (max === 0 || one === this.empty) return this.empty
    if (one === this.none) return min === 0 ? this.empty : this.none
    if (min === 1 && max === 1) return one
    const node = this.nodes[one]!
    if (node.kind === 'repeat' && node.min === 0 && node.max === Number.POSITIVE_INFINITY) return one
    // A count of counts from 0 or 1 is one count: each number between is reached, and the two need not be followed apart.
    if (node.kind === 'repeat' && node.min! <= 1) return this.repeat(node.of[0]!, min * node.min!, max * node.max!)
    const least = node.isRegular && this.isEmpty(one) ? 0 : min
    return this.#make(`r${one},${least},${max}`, 'repeat', { of: [one], min: least, max })
  }

  optional(one: Expression): Expression {
    return this.or(one, this.empty)
  }

  /** A rule that is defined later, so that it may call itself. */
  declare(name: string): { call: Expression; define: (body: Expression) => void } {
    const rule = this.bodies.length
    this.bodies.push(undefined)
    this.ruleNames.push(name)
    return {
      call: this.#make(`c${rule}`, 'call', { of: [], rule }),
      define: (body) => {
        this.bodies[rule] = body
      },
    }
  }

  /** A rule with this body, the same for the same body: what is expected within it does not depend on what comes behind. */
  frame(body: Expression, name = 'part'): Expression {
    if (this.nodes[body]!.kind === 'call' || body === this.none || body === this.empty) return body
    let call = this.#framed.get(body)
    if (call === undefined) {
      const rule = this.declare(name)
      rule.define(body)
      call = rule.call
      this.#framed.set(body, call)
    }
    return call
  }

  /** Whether it matches the empty text. */
  isEmpty(one: Expression): boolean {
    this.emptiness[one] ??= this.#findEmpty(this.nodes[one]!)
    return this.emptiness[one]
  }

  #pair(head: Expression, rest: Expression): Expression {
    if (head === this.none || rest === this.none) return this.none
    if (head === this.empty) return rest
    if (rest === this.empty) return head
    return this.#make(`s${head},${rest}`, 'seq', { of: [head, rest] })
  }

  #list(kind: 'or' | 'and', parts: readonly Expression[], nothing: Expression): Expression {
    if (parts.length < 2) return parts[0] ?? nothing
    this.spend(parts.length)
    const sorted = parts.toSorted((a, b) => a - b)
    return this.#make(`${kind}${sorted.join()}`, kind, { of: sorted })
  }

  #make(key: string, kind: Kind, node: Omit<Node, 'kind' | 'isRegular'>): Expression {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.nodes.length >= this.most)
      throw new UsageError('grammar: expected a smaller one, got too many parts. Make it smaller')
    const isRegular = kind !== 'call' && node.of.every((part) => this.nodes[part]!.isRegular)
    this.nodes.push({ kind, ...node, isRegular })
    this.#known.set(key, this.nodes.length - 1)
    return this.nodes.length - 1
  }

  #wantRegular(one: Expression): void {
    if (!this.nodes[one]!.isRegular)
      throw new UsageError('grammar: expected a regular part within an intersection, got a call of a rule')
  }

  #findEmpty({ kind, of, min, rule }: Node): boolean {
    switch (kind) {
      case 'none':
      case 'bytes':
        return false
      case 'empty':
        return true
      case 'seq':
      case 'and':
        return of.every((part) => this.isEmpty(part))
      case 'or':
        return of.some((part) => this.isEmpty(part))
      case 'not':
        return !this.isEmpty(of[0]!)
      case 'repeat':
        return min === 0 || this.isEmpty(of[0]!)
      case 'call':
        return this.emptyRules[rule!]!
    }
  }
}
