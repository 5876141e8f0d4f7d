// JSON Schema as a grammar of the texts that satisfy it. Properties come in the schema's order, names and constants in the spelling of
// JSON.stringify, white space is one space at most behind a comma or a colon: fewer texts than the schema allows, never others.

import { UsageError } from '../../errors.ts'
import { ALL_CODE_POINTS } from '../code-points.ts'
import type { Expression } from '../expression-table.ts'
import type { Expressions } from '../expressions.ts'
import { areExclusive } from './exclusive-schemas.ts'
import { isValid } from './is-valid.ts'
import { mergeSchemas } from './merge-schemas.ts'
import type { NumberBounds } from './numbers.ts'
import { checkedSchema, type JsonType, type Schema, SPEAKS_OF, wrong } from './schema-keywords.ts'
import { FORMATS } from './strings.ts'
import { JsonValues } from './values.ts'

/** How JSON is written. */
export interface JsonSchemaOptions {
  /** `compact`: one space may follow a comma or a colon. `any`: up to eight white characters wherever JSON allows them. Default compact. */
  whitespace?: 'compact' | 'any'
}

/** Schemas within schemas, references followed. */
const DEEPEST = 64
/** Schemas that are looked at; those put together of two count as several, as they take longer. */
const MOST_SCHEMAS = 8000

/** The expression of all values that `schema` allows. UsageError with the place for what is wrong or what masks cannot keep. */
export function jsonSchema(expressions: Expressions, schema: unknown, options: JsonSchemaOptions = {}): Expression {
  return new SchemaCompiler(expressions, schema, options).root()
}

class SchemaCompiler {
  readonly #x: Expressions
  readonly #schema: unknown
  readonly #values: JsonValues
  readonly #references = new Map<string, Expression>()
  #depth = 0
  #seen = 0

  constructor(expressions: Expressions, schema: unknown, { whitespace = 'compact' }: JsonSchemaOptions) {
    this.#x = expressions
    this.#schema = schema
    this.#values = new JsonValues(expressions, whitespace)
  }

  root(): Expression {
    return this.#reference('#', '')
  }

  /** What a value of this schema may be. */
  #value(given: unknown, path: string): Expression {
    if (given === true) return this.#values.anything()
    if (given === false) return this.#x.none
    this.#count(1, path)
    if (++this.#depth > DEEPEST)
      throw new UsageError(
        `json_schema ${path}: expected schemas at most ${DEEPEST} deep, got more. Name parts in $defs and refer to them`,
      )
    try {
      return this.#valueOf(checkedSchema(given, path), path)
    } finally {
      this.#depth--
    }
  }

  #valueOf(schema: Schema, path: string): Expression {
    const { $ref, allOf, anyOf, oneOf, ...rest } = schema
    if ($ref !== undefined) {
      const beside = withoutRemarks({ ...schema, $ref: undefined })
      if (Object.keys(beside).length === 0) return this.#reference($ref as string, path)
      return this.#value(mergeSchemas(beside, this.#find($ref as string, path), path), path)
    }
    // Alternatives first: what `allOf` says holds for each, and may have alternatives itself.
    if (allOf !== undefined && anyOf === undefined) {
      const alone = withoutRemarks({ ...schema, allOf: undefined })
      const parts = (allOf as unknown[]).map((part, i) =>
        typeof part === 'boolean' ? part : checkedSchema(part, `${path}/allOf/${i}`),
      )
      const all = Object.keys(alone).length === 0 ? parts : [alone, ...parts]
      this.#count(4 * all.length, path)
      return this.#value(
        all.reduce((one, other) => mergeSchemas(this.#followed(one, path), this.#followed(other, path), path)),
        path,
      )
    }
    if (anyOf !== undefined)
      return this.#options(withoutRemarks({ ...rest, oneOf, allOf }), anyOf as unknown[], `${path}/anyOf`)
    if (oneOf !== undefined) {
      if (!areExclusive((oneOf as unknown[]).map((one) => this.#followed(one, path))))
        throw new UsageError(
          `json_schema ${path}/oneOf: expected alternatives of which a value can be one only (by their types, by a required property with different constants, or by required properties that the others lack), got others. Write anyOf`,
        )
      return this.#options(withoutRemarks(rest), oneOf as unknown[], `${path}/oneOf`)
    }
    if ('const' in schema || 'enum' in schema) return this.#constants(schema, path)
    const types = typesOf(schema)
    if (types === undefined) return this.#values.anything()
    return this.#x.or(...types.map((type) => this.#ofType(type, schema, path)))
  }

  #count(schemas: number, path: string): void {
    this.#seen += schemas
    if (this.#seen > MOST_SCHEMAS)
      throw new UsageError(
        `json_schema ${path.slice(0, 80)}: expected at most ${MOST_SCHEMAS} schemas, those that allOf and references make counted too, got more. Make it smaller`,
      )
  }

  #options(beside: Schema, options: readonly unknown[], path: string): Expression {
    const isAlone = Object.keys(beside).length === 0
    if (!isAlone) this.#count(4 * options.length, path)
    return this.#x.or(
      ...options.map((option, i) =>
        this.#value(
          isAlone ? option : mergeSchemas(beside, this.#followed(option, `${path}/${i}`), path),
          `${path}/${i}`,
        ),
      ),
    )
  }

  #constants(schema: Schema, path: string): Expression {
    const { enum: several, const: one, ...rest } = schema
    const values = (several as unknown[] | undefined) ?? [one]
    const good = values.filter(
      (value) => (!('const' in schema) || isValid({ const: one }, value)) && isValid(rest, value),
    )
    if (good.length === 0) throw wrong(path, 'a constant that the rest of its schema allows', values)
    return this.#values.constants(good)
  }

  #ofType(type: JsonType, schema: Schema, path: string): Expression {
    switch (type) {
      case 'null':
        return this.#values.text('null')
      case 'boolean':
        return this.#x.or(this.#values.text('true'), this.#values.text('false'))
      case 'integer':
      case 'number':
        return this.#number(type, schema, path)
      case 'string':
        return this.#x.frame(this.#values.strings.quoted(this.#stringContent(schema, path, false)), 'string')
      case 'array':
        return this.#x.frame(this.#array(schema, path), 'array')
      case 'object':
        return this.#x.frame(this.#properties(schema, path), 'object')
    }
  }

  #number(type: 'integer' | 'number', schema: Schema, path: string): Expression {
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema as Record<
      string,
      number | undefined
    >
    if (multipleOf !== undefined && multipleOf !== 1)
      throw new UsageError(
        `json_schema ${path}/multipleOf: expected a keyword that masks can keep (multipleOf: 1 is), got ${multipleOf}. Leave it out, and check the answer by it`,
      )
    const bounds: NumberBounds = {}
    if (minimum !== undefined) bounds.min = minimum
    if (maximum !== undefined) bounds.max = maximum
    if (exclusiveMinimum !== undefined && exclusiveMinimum >= (minimum ?? -Infinity))
      Object.assign(bounds, { min: exclusiveMinimum, isMinOpen: true })
    if (exclusiveMaximum !== undefined && exclusiveMaximum <= (maximum ?? Infinity))
      Object.assign(bounds, { max: exclusiveMaximum, isMaxOpen: true })
    const made =
      type === 'integer' || multipleOf === 1
        ? this.#values.numbers.integer(bounds)
        : this.#values.numbers.number(bounds)
    return this.#x.frame(made, type)
  }

  /** Texts that a pattern at this place matches. */
  #matching(pattern: string, place: string): Expression {
    try {
      return this.#values.strings.matching(pattern, true)
    } catch (cause) {
      if (!(cause instanceof UsageError)) throw cause
      throw new UsageError(`json_schema ${place}: ${cause.message}`, { cause })
    }
  }

  /** What stands between the quotation marks; `isName`: in the spelling of JSON.stringify, so that equal names are equal texts. */
  #stringContent(schema: Schema, path: string, isName: boolean): Expression {
    const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema as Record<string, never>
    const parts: Expression[] = []
    if (pattern !== undefined) parts.push(this.#matching(pattern, `${path}/pattern`))
    if (format !== undefined) {
      if (!Object.hasOwn(FORMATS, format))
        throw new UsageError(
          `json_schema ${path}/format: expected one of ${Object.keys(FORMATS).join(', ')}, got '${format}'. Write a pattern`,
        )
      parts.push(this.#values.strings.matching(FORMATS[format]!, false))
    }
    const free =
      isName || parts.length > 0
        ? this.#x.repeat(this.#values.strings.write(ALL_CODE_POINTS), minLength, maxLength)
        : this.#values.strings.content(minLength, maxLength)
    const isBounded = minLength > 0 || maxLength < Number.POSITIVE_INFINITY
    return this.#x.and(...parts, ...(parts.length === 0 || isBounded ? [free] : []))
  }

  #array(schema: Schema, path: string): Expression {
    const isTuple = Array.isArray(schema.items)
    const first = ((isTuple ? schema.items : schema.prefixItems) ?? []) as unknown[]
    const rest = (isTuple ? schema.additionalItems : schema.items) ?? true
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, uniqueItems } = schema as Record<string, never>
    if (uniqueItems && maxItems > 1)
      throw new UsageError(
        `json_schema ${path}/uniqueItems: expected a keyword that masks can keep, got true. Leave it out, and check the answer by it`,
      )
    const isBeyond = maxItems > first.length
    return this.#values.list(
      first.slice(0, maxItems).map((item, i) => this.#value(item, `${path}/prefixItems/${i}`)),
      isBeyond ? this.#value(rest, `${path}/items`) : this.#x.none,
      minItems,
      maxItems,
    )
  }

  #properties(schema: Schema, path: string): Expression {
    const required = new Set((schema.required ?? []) as string[])
    const patterns = Object.entries((schema.patternProperties ?? {}) as Schema).map(([pattern, value]) => ({
      pattern,
      name: this.#matching(pattern, `${path}/patternProperties/${pointer(pattern)}`),
      value,
    }))
    const named = (schema.properties ?? {}) as Schema
    const isOpen = !('properties' in schema || 'patternProperties' in schema)
    const beyond = schema.additionalProperties ?? isOpen
    const names = [...new Set([...Object.keys(named), ...required])]
    const nameRule = this.#nameContent(schema.propertyNames, `${path}/propertyNames`)
    const pairs = names.flatMap((name) => {
      const spelling = new TextEncoder().encode(JSON.stringify(name).slice(1, -1))
      const isGood = nameRule === undefined || this.#x.matches(nameRule, spelling)
      if (!isGood && !required.has(name)) return []
      if (!isGood) throw wrong(`${path}/required`, 'names that propertyNames allows', name)
      const fitting = patterns
        .filter(({ name: pattern }) => this.#x.matches(pattern, spelling))
        .map(({ value }) => value)
      // A required name that no schema speaks of may have any value, if more properties than those named may come at all.
      const own = Object.hasOwn(named, name)
        ? named[name]
        : fitting.length > 0
          ? true
          : 'additionalProperties' in schema
            ? beyond
            : true
      const value = this.#value(
        fitting.reduce((one, other) => mergeSchemas(one, other, path), own),
        `${path}/properties/${pointer(name)}`,
      )
      return [{ pair: this.#values.pair(name, value), isRequired: required.has(name) }]
    })
    const rest = this.#otherPairs(names, patterns, beyond, nameRule, path)
    const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema as Record<string, never>
    return this.#values.object(pairs, rest, minProperties, maxProperties)
  }

  /** Pairs whose names the schema does not say. */
  #otherPairs(
    names: readonly string[],
    patterns: readonly { pattern: string; name: Expression; value: unknown }[],
    beyond: unknown,
    nameRule: Expression | undefined,
    path: string,
  ): Expression {
    const anyName = this.#x.repeat(this.#values.strings.write(ALL_CODE_POINTS), 0)
    const notNamed = this.#x.not(this.#values.strings.oneOf(names))
    const good = [anyName, notNamed, ...(nameRule === undefined ? [] : [nameRule])]
    const pair = (name: Expression, value: Expression): Expression =>
      this.#x.shortest(name) === Number.POSITIVE_INFINITY
        ? this.#x.none
        : this.#x.seq(this.#x.frame(this.#values.strings.quoted(name), 'name'), this.#values.colon, value)
    for (const [i, one] of patterns.entries())
      for (const other of patterns.slice(i + 1))
        if (this.#x.shortest(this.#x.and(one.name, other.name, ...good)) < Number.POSITIVE_INFINITY)
          throw new UsageError(
            `json_schema ${path}/patternProperties: expected patterns of which a name matches one only, got '${one.pattern}' and '${other.pattern}'. Make them differ`,
          )
    const byPattern = patterns.map(({ name, value, pattern }) =>
      pair(this.#x.and(name, ...good), this.#value(value, `${path}/patternProperties/${pointer(pattern)}`)),
    )
    if (beyond === false) return this.#x.or(...byPattern)
    const free = this.#x.and(...good, ...patterns.map(({ name }) => this.#x.not(name)))
    return this.#x.or(...byPattern, pair(free, this.#value(beyond, `${path}/additionalProperties`)))
  }

  /** The content of names that `propertyNames` allows. */
  #nameContent(given: unknown, path: string): Expression | undefined {
    if (given === undefined || given === true) return undefined
    if (given === false) return this.#x.none
    const schema = checkedSchema(given, path)
    const values = 'const' in schema ? [schema.const] : (schema.enum as unknown[] | undefined)
    if (values !== undefined) return this.#values.strings.oneOf(values.filter((one) => typeof one === 'string'))
    const beyond = Object.keys(schema).find(
      (key) => !(SPEAKS_OF[key] === 'string' || key === 'type') || (key === 'type' && schema.type !== 'string'),
    )
    if (beyond !== undefined)
      throw wrong(
        `${path}/${beyond}`,
        'a schema of a string: type, enum, const, pattern, format, minLength, maxLength',
        schema[beyond],
      )
    return this.#stringContent(schema, path, true)
  }

  /** A rule for what a reference means, so that it may mean itself. */
  #reference(ref: string, path: string): Expression {
    const known = this.#references.get(ref)
    if (known !== undefined) return known
    const target = this.#find(ref, path)
    const rule = this.#x.declare(`$ref ${ref}`)
    this.#references.set(ref, rule.call)
    const depth = this.#depth
    this.#depth = 0
    rule.define(this.#value(target, ref.slice(1)))
    this.#depth = depth
    return rule.call
  }

  /** The schema itself, or what its reference means where it is nothing else. */
  #followed(schema: unknown, path: string): unknown {
    let at = schema
    for (let i = 0; i < DEEPEST; i++) {
      if (typeof at !== 'object' || at === null || !('$ref' in at)) return at
      const { $ref, ...beside } = at as Schema
      const found = this.#find(String($ref), path)
      at = Object.keys(withoutRemarks(beside)).length === 0 ? found : mergeSchemas(withoutRemarks(beside), found, path)
    }
    throw new UsageError(`json_schema ${path}: expected references that end, got one that leads to itself`)
  }

  #find(ref: string, path: string): unknown {
    const [text, pointed = ''] = /^#(\/.*)?$/s.exec(ref) ?? []
    let at: unknown = this.#schema
    if (text !== undefined)
      for (const part of pointed.split('/').slice(1)) {
        const name = unescaped(part)
        at =
          name !== undefined && typeof at === 'object' && at !== null && Object.hasOwn(at, name)
            ? (at as Record<string, unknown>)[name]
            : undefined
      }
    if (text === undefined || at === undefined)
      throw wrong(`${path}/$ref`, 'a place within this schema such as #/$defs/name', ref)
    return at
  }
}

/** The types that a schema speaks of; undefined for any. */
function typesOf(schema: Schema): readonly JsonType[] | undefined {
  if (schema.type !== undefined) {
    const types = (Array.isArray(schema.type) ? schema.type : [schema.type]) as JsonType[]
    return types.includes('number') ? types.filter((type) => type !== 'integer') : types
  }
  const spoken = [
    ...new Set(Object.keys(schema).flatMap((key) => (Object.hasOwn(SPEAKS_OF, key) ? SPEAKS_OF[key]! : []))),
  ]
  return spoken.length === 0 ? undefined : spoken
}

function withoutRemarks(schema: Schema): Schema {
  return Object.fromEntries(
    Object.entries(schema).filter(
      ([key, value]) =>
        value !== undefined &&
        (Object.hasOwn(SPEAKS_OF, key) || ['type', 'enum', 'const', 'anyOf', 'oneOf', 'allOf', '$ref'].includes(key)),
    ),
  )
}

/** A part of a reference; undefined where its % is no escape. */
function unescaped(part: string): string | undefined {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return undefined
  }
}

function pointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
