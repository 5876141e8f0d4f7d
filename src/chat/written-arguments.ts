// The structure of arguments that are not written as JSON: XML of texts and JSON values, or JSON with bare names and marks around texts.

import { UsageError } from '../errors.ts'
import { compileGrammar, type Structure } from '../grammar/grammar.ts'
import type { ToolFamily } from './families.ts'

type Schema = Readonly<Record<string, unknown>>

/** A structure, and the places of the schema that it does not keep to. */
export interface WrittenArguments {
  structure: Structure
  notKept: readonly string[]
}

/** Schemas within schemas that are followed; what lies deeper may be any plain value. */
const DEEPEST = 12
const PLAIN: Structure = { json_schema: { type: ['number', 'boolean', 'null'] } }
/** Keywords of texts, lists and objects that these notations do not keep to. */
const NOT_KEPT = ['pattern', 'format', 'uniqueItems', 'minProperties', 'maxProperties', 'patternProperties', 'propertyNames', 'not', 'if', 'contains', 'dependentRequired', 'multipleOf'] // biome-ignore format: a list

/** The arguments of a schema, which is one of an object, in a notation that is not JSON. */
export function writtenArguments(schema: Schema, notation: Exclude<ToolFamily['notation'], 'json'>): WrittenArguments {
  const writer = new Writer(schema, notation === 'xml' ? undefined : notation.quote)
  const structure = notation === 'xml' ? writer.parameters() : writer.value(schema, '', 0)
  return { structure, notKept: writer.notKept }
}

/** Whether a parameter is a text and nothing else, so that XML has it as it stands. */
export function isTextParameter(schema: Schema, parameter: string): boolean {
  const { properties } = schema as { properties?: Schema }
  const own = properties !== undefined && Object.hasOwn(properties, parameter) ? properties[parameter] : undefined
  const { type, enum: values, const: value } = (own ?? {}) as Schema
  if (Array.isArray(values)) return values.every((one) => typeof one === 'string')
  return value === undefined ? type === 'string' : typeof value === 'string'
}

class Writer {
  readonly notKept: string[] = []
  readonly #root: Schema
  readonly #quote: string | undefined

  constructor(root: Schema, quote: string | undefined) {
    this.#root = root
    this.#quote = quote
  }

  /** XML: parameters in the order of the schema. */
  parameters(): Structure {
    const { properties = {}, $defs, definitions } = this.#root as Record<string, Schema>
    const required = namesIn(this.#root.required)
    const parts = Object.entries(properties).map(([name, given]): Structure => {
      const path = `/properties/${name}`
      const schema = (typeof given === 'object' && given !== null ? given : {}) as Schema
      const value: Structure = isTextParameter(this.#root, name)
        ? this.#plainText(schema, path)
        : this.#jsonValue({ ...schema, ...($defs && { $defs }), ...(definitions && { definitions }) }, path)
      const whole: Structure = {
        sequence: [{ text: `<parameter=${name}>\n` }, value, { text: '\n</parameter>\n' }],
      }
      return required.includes(name) ? whole : { any_of: [{ text: '' }, whole] }
    })
    return { sequence: [{ text: '\n' }, ...parts, { text: '</function>' }] }
  }

  #jsonValue(schema: Schema, path: string): Structure {
    try {
      compileGrammar({ json_schema: schema })
      return { json_schema: schema }
    } catch (cause) {
      if (!(cause instanceof UsageError)) throw cause
      this.notKept.push(path)
      return { json_schema: true }
    }
  }

  #plainText(schema: Schema, path: string): Structure {
    const { enum: values, const: value } = schema
    this.#note(schema, path)
    if (Array.isArray(values)) return { choice: values.map(String) }
    return typeof value === 'string' ? { text: value } : text('</parameter>', schema)
  }

  value(given: unknown, path: string, depth: number): Structure {
    const schema = this.#followed(given)
    if (depth > DEEPEST) {
      this.notKept.push(path)
      return PLAIN
    }
    const inner = (one: unknown, at: string): Structure => this.value(one, `${path}/${at}`, depth + 1)
    const { anyOf, oneOf, allOf, enum: values, type } = schema
    this.#note(schema, path)
    if (Array.isArray(values)) return { any_of: values.map((one) => this.#constant(one)) }
    if ('const' in schema) return this.#constant(schema.const)
    const options = anyOf ?? oneOf
    if (Array.isArray(options)) return { any_of: options.map((one, i) => inner(one, `anyOf/${i}`)) }
    if (Array.isArray(allOf)) {
      if (allOf.length > 1) this.notKept.push(`${path}/allOf`)
      return inner(allOf[0], 'allOf/0')
    }
    if (Array.isArray(type)) return { any_of: type.map((one) => inner({ ...schema, type: one }, '')) }
    switch (type ?? ('properties' in schema ? 'object' : 'items' in schema ? 'array' : undefined)) {
      case 'string':
        return this.#quoted(text(this.#quote!, schema))
      case 'integer':
      case 'number': {
        const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema
        const bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum }
        return { json_schema: JSON.parse(JSON.stringify({ type, ...bounds })) }
      }
      case 'boolean':
      case 'null':
        return { json_schema: { type } }
      case 'array':
        return this.#list(inner(schema.items ?? {}, 'items'), schema)
      case 'object':
        return this.#object(schema, inner)
      default:
        return { any_of: [PLAIN, this.#quoted({ until: this.#quote! })] }
    }
  }

  #list(item: Structure, { minItems = 0, maxItems }: { minItems?: number; maxItems?: number }): Structure {
    const rest = { sequence: [{ text: ',' }, item] }
    const most = maxItems === undefined ? {} : { max: Math.max(maxItems - 1, 0) }
    const some: Structure = { sequence: [item, { repeat: rest, min: Math.max(minItems - 1, 0), ...most }] }
    const items: readonly Structure[] = maxItems === 0 ? [] : [minItems > 0 ? some : { any_of: [{ text: '' }, some] }]
    return { sequence: [{ text: '[' }, ...items, { text: ']' }] }
  }

  /** Names in the order in which templates write them. */
  #object(schema: Schema, inner: (one: unknown, at: string) => Structure): Structure {
    const { properties, additionalProperties } = schema as { properties?: Schema; additionalProperties?: unknown }
    if (properties === undefined || Object.keys(properties).length === 0) {
      if (additionalProperties === false || properties !== undefined) return { text: '{}' }
      const pair: Structure = {
        sequence: [{ regex: '[A-Za-z_][A-Za-z0-9_]*:' }, inner(additionalProperties ?? {}, 'additionalProperties')],
      }
      const more: Structure = { repeat: { sequence: [{ text: ',' }, pair] } }
      return { sequence: [{ text: '{' }, { any_of: [{ text: '' }, { sequence: [pair, more] }] }, { text: '}' }] }
    }
    const required = namesIn(schema.required)
    const names = Object.keys(properties).sort((a, b) => compare(a.toLowerCase(), b.toLowerCase()))
    const pairs = names.map(
      (name): Structure => ({
        sequence: [{ text: `${name}:` }, inner(properties[name], `properties/${name}`)],
      }),
    )
    // From the last to the first: what may come from there on, behind another one and in front.
    let [behind, front]: [Structure, Structure] = [{ text: '' }, { text: '' }]
    for (let i = names.length - 1; i >= 0; i--) {
      const withComma: Structure = { sequence: [{ text: ',' }, pairs[i]!, behind] }
      const first: Structure = { sequence: [pairs[i]!, behind] }
      const isRequired = required.includes(names[i]!)
      ;[behind, front] = isRequired ? [withComma, first] : [{ any_of: [withComma, behind] }, { any_of: [first, front] }]
    }
    return { sequence: [{ text: '{' }, front, { text: '}' }] }
  }

  #constant(value: unknown): Structure {
    if (typeof value === 'string') return this.#quoted({ text: value })
    if (Array.isArray(value)) {
      const items = value.flatMap((one, i) => [...(i > 0 ? [{ text: ',' }] : []), this.#constant(one)])
      return { sequence: [{ text: '[' }, ...items, { text: ']' }] }
    }
    return { text: JSON.stringify(value) }
  }

  #quoted(text: Structure): Structure {
    return { sequence: [{ token: this.#quote! }, text, { token: this.#quote! }] }
  }

  #note(schema: Schema, path: string): void {
    for (const keyword of NOT_KEPT) if (keyword in schema) this.notKept.push(`${path}/${keyword}`)
  }

  /** A schema, or what it refers to within this one. */
  #followed(given: unknown): Schema {
    let at = given
    for (let i = 0; i < DEEPEST; i++) {
      const ref = (at as Schema | null)?.$ref
      if (typeof ref !== 'string') break
      at = ref
        .replace(/^#\//, '')
        .split('/')
        .reduce<unknown>((inside, name) => (inside as Schema | undefined)?.[name], this.#root)
    }
    return (typeof at === 'object' && at !== null ? at : {}) as Schema
  }
}

function text(until: string, { minLength, maxLength }: { minLength?: number; maxLength?: number }): Structure {
  return {
    until,
    ...(minLength !== undefined && { min: minLength }),
    ...(maxLength !== undefined && { max: maxLength }),
  }
}

const namesIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
