// What a text has to be: JSON of a schema, a choice, a regular expression, a grammar, or such parts one behind another; as one expression.

import { UsageError } from '../errors.ts'
import { ALL_CODE_POINTS, utf8 } from './code-points.ts'
import type { Expression } from './expression-table.ts'
import { Expressions } from './expressions.ts'
import { gbnf } from './gbnf.ts'
import { type JsonSchemaOptions, jsonSchema } from './json/json-schema.ts'
import { regularExpression } from './regular-expression.ts'

/** What a text has to be. `text`: this very text. `until`: any text that does not have this one in it. */
export type Structure =
  | ({ json_schema: unknown } & JsonSchemaOptions)
  | { regex: string }
  | { choice: readonly string[] }
  | { grammar: string }
  | { text: string }
  | { until: string }
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
}

/** Characters of a structure. */
const MOST_CHARACTERS = 65_536

const encoder = new TextEncoder()

/** UsageError in one line for what is malformed, too large, not known or matches nothing. Texts are those that a model may write. */
export function compileGrammar(structure: Structure, { most = 200_000 }: CompileOptions = {}): Grammar {
  const size = JSON.stringify(structure).length
  if (size > MOST_CHARACTERS)
    throw new UsageError(`grammar: expected at most ${MOST_CHARACTERS} characters, got ${size}. Make it smaller`)
  const expressions = new Expressions()
  expressions.most = most
  const root = expressionOf(expressions, structure)
  expressions.settle()
  if (expressions.shortest(root) === Number.POSITIVE_INFINITY)
    throw new UsageError(
      'grammar: expected a structure that some text has, got one that none has. Look for parts that contradict each other or never end',
    )
  expressions.most = Number.POSITIVE_INFINITY
  const grammar = new Grammar(expressions.size)
  made.set(grammar, { expressions, root })
  return grammar
}

function expressionOf(x: Expressions, structure: Structure): Expression {
  if ('json_schema' in structure) return jsonSchema(x, structure.json_schema, structure)
  if ('regex' in structure)
    return x.frame(
      regularExpression(x, structure.regex, (set) => utf8(x, set)),
      'regex',
    )
  if ('choice' in structure) {
    if (structure.choice.length === 0) throw new UsageError('choice: expected at least one text, got none')
    return x.or(...structure.choice.map((text) => x.literal(encoder.encode(text))))
  }
  if ('grammar' in structure) return gbnf(x, structure.grammar)
  if ('text' in structure) return x.literal(encoder.encode(structure.text))
  if ('until' in structure) {
    if (structure.until === '') throw new UsageError('until: expected a text that ends it, got an empty one')
    const any = x.repeat(utf8(x, ALL_CODE_POINTS), 0)
    return x.frame(x.and(any, x.not(x.seq(x.anything, x.literal(encoder.encode(structure.until)), x.anything))), 'text')
  }
  if ('sequence' in structure) return x.seq(...structure.sequence.map((part) => expressionOf(x, part)))
  if ('any_of' in structure) return x.or(...structure.any_of.map((part) => expressionOf(x, part)))
  return x.repeat(expressionOf(x, structure.repeat), structure.min ?? 0, structure.max)
}
