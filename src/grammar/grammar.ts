// What a text has to be: JSON of a schema, a choice, a regular expression, a grammar, or such parts one behind another; as one expression.

import { UsageError } from '../errors.ts'
import { answering } from './answering.ts'
import { ALL_CODE_POINTS, utf8 } from './code-points.ts'
import { controlBytes } from './control-bytes.ts'
import type { Expression } from './expression-table.ts'
import { Expressions } from './expressions.ts'
import { gbnf } from './gbnf.ts'
import { type JsonSchemaOptions, jsonSchema } from './json/json-schema.ts'
import { regularExpression } from './regular-expression.ts'

/**
 * What a text has to be. `text`: this very text. `token`: this control token, or its text where the vocabulary has no such token; no other
 * structure lets one come. `until`: a text of `min` to `max` characters that has this one, or any of these, nowhere in it and begins with
 * none of `unlike`.
 */
export type Structure =
  | ({ json_schema: unknown } & JsonSchemaOptions)
  | { regex: string }
  | { choice: readonly string[] }
  | { grammar: string }
  | { text: string }
  | { token: string }
  | { until: string | readonly string[]; unlike?: readonly string[]; min?: number; max?: number }
  | { sequence: readonly Structure[] }
  | { any_of: readonly Structure[] }
  | { repeat: Structure; min?: number; max?: number }

/** A compiled structure. */
export class Grammar {
  /** Parts that it has. */
  readonly size: number
  constructor(size: number) {
    this.size = size
  }
}

/** What it is made of: for what follows texts, and nobody else. */
export interface GrammarParts {
  readonly expressions: Expressions
  readonly root: Expression
}
const made = new WeakMap<Grammar, GrammarParts>()

export function partsOf(grammar: Grammar): GrammarParts {
  return made.get(grammar)!
}

/** What a structure may cost. */
export interface CompileOptions {
  /** Parts that it may have. Default 200,000. */
  most?: number
  /** The control tokens that the vocabulary has: a `token` that is none of them is read as its text. Default: each `token` is one. */
  controlTokens?: { has(token: string): boolean }
}

/** Characters of a structure. */
const MOST_CHARACTERS = 65_536

const encoder = new TextEncoder()

/** UsageError in one line for what is malformed, too large, not known or matches nothing. Texts are those that a model may write. */
export function compileGrammar(structure: Structure, { most = 200_000, controlTokens }: CompileOptions = {}): Grammar {
  const expressions = new Expressions()
  const size = answering(expressions, () => sizeOf(structure))
  if (size > MOST_CHARACTERS)
    throw new UsageError(`grammar: expected at most ${MOST_CHARACTERS} characters, got ${size}. Make it smaller`)
  expressions.most = most
  const root = answering(expressions, () => {
    const made = new StructureCompiler(expressions, controlTokens).compile(structure)
    expressions.settle()
    if (expressions.shortest(made) === Number.POSITIVE_INFINITY)
      throw new UsageError(
        'grammar: expected a structure that some text has, got one that none has. Look for parts that contradict each other or never end',
      )
    expressions.refuseLong()
    return made
  })
  expressions.most = Number.POSITIVE_INFINITY
  const grammar = new Grammar(expressions.size)
  made.set(grammar, { expressions, root })
  return grammar
}

/** By kind of structure: whether its value is one, and what it has to be. */
const KINDS: Readonly<Record<string, readonly [isRight: (value: unknown) => boolean, expected: string]>> = (() => {
  const isText = (value: unknown): boolean => typeof value === 'string'
  const text = [isText, 'a text'] as const
  const list = [Array.isArray, 'a list of structures'] as const
  return {
    json_schema: [(value) => value !== undefined, 'a JSON Schema'],
    regex: text,
    choice: [(value) => Array.isArray(value) && value.every(isText), 'a list of texts'],
    grammar: text,
    text,
    token: text,
    until: [(value) => isText(value) || (Array.isArray(value) && value.every(isText)), 'a text or several'],
    sequence: list,
    any_of: list,
    repeat: [(value) => typeof value === 'object' && value !== null, 'a structure'],
  }
})()
/** What may stand beside, by kind. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  json_schema: ['whitespace'],
  repeat: ['min', 'max'],
  until: ['unlike', 'min', 'max'],
}

/** UsageError unless it is one kind of structure, with values of its kind. */
function checkStructure(structure: Structure): void {
  const given = typeof structure === 'object' && structure !== null ? Object.entries(structure) : []
  const kinds = given.filter(([name]) => Object.hasOwn(KINDS, name))
  const [kind, value] = kinds[0] ?? []
  if (kind === undefined || kinds.length > 1)
    throw new UsageError(
      `structure: expected one of ${Object.keys(KINDS).join(', ')}, got ${kinds.map(([name]) => name).join(' and ') || JSON.stringify(structure)?.slice(0, 60)}`,
    )
  const [isRight, expected] = KINDS[kind]!
  if (!isRight(value)) throw new UsageError(`${kind}: expected ${expected}, got ${JSON.stringify(value)?.slice(0, 60)}`)
  const other = given.find(([name]) => name !== kind && !BESIDE[kind]?.includes(name))
  if (other !== undefined) throw new UsageError(`structure: expected ${kind} alone, got '${other[0]}' too`)
  const { whitespace, min, max } = structure as { whitespace?: unknown; min?: unknown; max?: unknown }
  if (whitespace !== undefined && whitespace !== 'compact' && whitespace !== 'any')
    throw new UsageError(`whitespace: expected compact or any, got ${JSON.stringify(whitespace)}`)
  for (const [name, count] of [
    ['min', min],
    ['max', max],
  ] as const) {
    const isCount = Number.isInteger(count) && (count as number) >= 0
    if (count !== undefined && !isCount && !(name === 'max' && count === Number.POSITIVE_INFINITY))
      throw new UsageError(`${kind}: expected a whole number from 0 for ${name}, got ${count}`)
  }
}

class StructureCompiler {
  readonly #x: Expressions
  readonly #controlTokens: CompileOptions['controlTokens']
  /** A structure that stands in several places is compiled once. */
  readonly #known = new Map<Structure, Expression>()

  constructor(expressions: Expressions, controlTokens: CompileOptions['controlTokens']) {
    this.#x = expressions
    this.#controlTokens = controlTokens
  }

  compile(structure: Structure): Expression {
    const known = this.#known.get(structure)
    if (known !== undefined) return known
    checkStructure(structure)
    const made = this.#expressionOf(structure)
    this.#known.set(structure, made)
    return made
  }

  #expressionOf(structure: Structure): Expression {
    const x = this.#x
    if ('json_schema' in structure) return jsonSchema(x, structure.json_schema, structure)
    if ('regex' in structure)
      return x.frame(
        regularExpression(x, structure.regex, (set) => utf8(x, set)),
        'regex',
      )
    if ('choice' in structure) {
      if (structure.choice.length === 0) throw new UsageError('choice: expected at least one text, got none')
      return x.literals(structure.choice.map((text) => encoder.encode(text)))
    }
    if ('grammar' in structure) return gbnf(x, structure.grammar)
    if ('text' in structure) return x.literal(encoder.encode(structure.text))
    if ('token' in structure) {
      const isControl = this.#controlTokens?.has(structure.token) ?? true
      return x.literal(isControl ? controlBytes(structure.token) : encoder.encode(structure.token))
    }
    if ('until' in structure) return x.frame(textWithout(x, structure), 'text')
    if ('sequence' in structure) return x.seq(...structure.sequence.map((part) => this.compile(part)))
    if ('any_of' in structure) return x.or(...structure.any_of.map((part) => this.compile(part)))
    return x.repeat(this.compile(structure.repeat), structure.min ?? 0, structure.max)
  }
}

/** Characters of a structure, of what stands in several places once. */
function sizeOf(structure: Structure): number {
  const seen = new Set<unknown>()
  const text = JSON.stringify(structure, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value
    if (seen.has(value)) return 0
    seen.add(value)
    return value
  })
  return text?.length ?? 0
}

function textWithout(x: Expressions, structure: Extract<Structure, { until: unknown }>): Expression {
  const { until, unlike: beginnings = [], min = 0, max } = structure
  const marks = [until].flat()
  if ([...marks, ...beginnings].includes(''))
    throw new UsageError('until: expected a text that ends it, got an empty one')
  const literals = (texts: readonly string[]): Expression => x.literals(texts.map((text) => encoder.encode(text)))
  const any = x.repeat(utf8(x, ALL_CODE_POINTS), min, max)
  return x.and(
    any,
    ...(marks.length === 0 ? [] : [x.not(x.seq(x.anything, literals(marks), x.anything))]),
    ...(beginnings.length === 0 ? [] : [x.not(x.seq(literals(beginnings), x.anything))]),
  )
}
