// The fields of a service's input, as a form shows them and a command line takes them: read off its JSON Schema.

import { UsageError } from '../../errors.ts'
import { didYouMean } from '../../nearest.ts'

/** How a field is filled in: `list` is one of texts, numbers or choices; `json` is everything else. */
export type FieldKind = 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'list' | 'json'

/** One field. */
export interface Field {
  readonly name: string
  readonly kind: FieldKind
  readonly isRequired: boolean
  readonly description: string
  readonly default: unknown
  /** Of `choice`: values of JSON. */
  readonly choices: readonly unknown[]
  /** Of `list`: what its items are. */
  readonly item: Exclude<FieldKind, 'list' | 'json'> | undefined
  readonly minimum: number | undefined
  readonly maximum: number | undefined
  readonly maxLength: number | undefined
}

type Part = Readonly<Record<string, unknown>>

/** The fields of an object's JSON Schema, in its order. */
export function fieldsOf(schema: Part): Field[] {
  const required = new Set((schema.required as string[] | undefined) ?? [])
  return Object.entries((schema.properties ?? {}) as Record<string, unknown>).map(([name, part]) =>
    fieldOf(name, part, schema, required.has(name)),
  )
}

function fieldOf(name: string, written: unknown, root: Part, isRequired: boolean): Field {
  const outer = (typeof written === 'object' && written !== null ? written : {}) as Part
  const part = resolved(outer, root)
  const choices = choicesOf(part)
  const kind = kindOf(part, choices)
  const items = kind === 'list' ? resolved(part.items as Part, root) : undefined
  const itemChoices = items === undefined ? [] : choicesOf(items)
  const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)
  return {
    name,
    kind: items !== undefined && !isSimple(kindOf(items, itemChoices)) ? 'json' : kind,
    isRequired,
    description: String(outer.description ?? part.description ?? outer.title ?? part.title ?? ''),
    default: outer.default ?? part.default,
    choices: kind === 'list' ? itemChoices : choices,
    item: items === undefined ? undefined : (kindOf(items, itemChoices) as Exclude<FieldKind, 'list' | 'json'>),
    minimum: number(part.minimum),
    maximum: number(part.maximum),
    maxLength: number(part.maxLength),
  }
}

const isSimple = (kind: FieldKind): boolean => kind !== 'list' && kind !== 'json'

/** Through references, and past `null` where something or null is asked for. */
function resolved(part: Part, root: Part, depth = 0): Part {
  if (depth > 16) return {}
  if (typeof part.$ref === 'string') {
    const found = part.$ref
      .split('/')
      .slice(1)
      .reduce<unknown>((at, key) => {
        const own = key.replaceAll('~1', '/').replaceAll('~0', '~')
        return typeof at === 'object' && at !== null && Object.hasOwn(at, own) ? (at as Part)[own] : undefined
      }, root)
    return resolved((found ?? {}) as Part, root, depth + 1)
  }
  const any = part.anyOf ?? part.oneOf
  const others = Array.isArray(any) ? (any as Part[]).filter(({ type }) => type !== 'null') : []
  if (others.length === 1) return resolved(others[0]!, root, depth + 1)
  return part
}

/** Of an enum, a constant, or constants that are alternatives. */
function choicesOf(part: Part): readonly unknown[] {
  if (Array.isArray(part.enum)) return part.enum.filter((value) => typeof value !== 'object')
  const any = part.anyOf ?? part.oneOf
  if (Array.isArray(any) && any.every((one) => typeof one === 'object' && one !== null && 'const' in one))
    return any.map((one) => (one as Part).const)
  return 'const' in part && typeof part.const !== 'object' ? [part.const] : []
}

function kindOf(part: Part, choices: readonly unknown[]): FieldKind {
  if (choices.length > 0) return 'choice'
  const types = [part.type].flat().filter((type) => type !== 'null')
  switch (types.length === 1 ? types[0] : undefined) {
    case 'string':
      return 'text'
    case 'number':
      return 'number'
    case 'integer':
      return 'integer'
    case 'boolean':
      return 'boolean'
    case 'array':
      return typeof part.items === 'object' && part.items !== null ? 'list' : 'json'
    default:
      return 'json'
  }
}

/** The value that a word of a command line means; `said` is how the field was named there. UsageError where it means none. */
export function valueOfWord(field: Field, word: string | boolean, said: string): unknown {
  const { kind, choices, item } = field
  if (kind === 'list') {
    if (typeof word === 'string' && word.trimStart().startsWith('[')) return jsonOf(word, said)
    return simpleValue(item ?? 'text', choices, word, said)
  }
  return kind === 'json' ? jsonOf(String(word), said) : simpleValue(kind, choices, word, said)
}

function simpleValue(kind: FieldKind, choices: readonly unknown[], word: string | boolean, said: string): unknown {
  const wrong = (expected: string): UsageError => new UsageError(`${said}: expected ${expected}, got ${wordOf(word)}`)
  switch (kind) {
    case 'boolean':
      if (word === true || word === 'true') return true
      if (word === false || word === 'false') return false
      throw wrong('true or false')
    case 'number':
    case 'integer': {
      const number = typeof word === 'string' && word.trim() !== '' ? Number(word) : Number.NaN
      if (Number.isFinite(number) && (kind === 'number' || Number.isInteger(number))) return number
      throw wrong(kind === 'number' ? 'a number' : 'a whole number')
    }
    case 'choice': {
      const found = choices.find((choice) => String(choice) === String(word))
      if (found !== undefined) return found
      throw wrong(choices.map(String).join(', '))
    }
    default:
      if (typeof word === 'string') return word
      throw wrong('a text')
  }
}

const wordOf = (word: string | boolean): string => (typeof word === 'string' ? `'${word.slice(0, 80)}'` : 'nothing')

function jsonOf(text: string, said: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new UsageError(`${said}: expected JSON, got ${wordOf(text)}`)
  }
}

/** A field as a command line named it: `--text`, `--no-loud`; its value, or true and false where it had none. */
export interface FieldWord {
  readonly said: string
  readonly value: string | boolean
}

/** The input that words of a command line mean. `-` and `_` are the same in a name; lists are repeated. UsageError for a field that there is not. */
export function inputOfWords(schema: Part, words: readonly FieldWord[]): Record<string, unknown> {
  const fields = fieldsOf(schema)
  const input = new Map<string, unknown>()
  for (const { said, value } of words) {
    const written = said.slice(value === false ? '--no-'.length : '--'.length)
    const field =
      fields.find(({ name }) => name === written) ?? fields.find(({ name }) => plainName(name) === plainName(written))
    if (field === undefined) {
      const names = fields.map(({ name }) => `--${name}`)
      throw new UsageError(
        `${said}: unknown field.${
          didYouMean(
            written,
            fields.map(({ name }) => name),
            '--',
          ) || ` There are: ${names.join(', ') || 'none'}`
        }`,
      )
    }
    const made = valueOfWord(field, value, said)
    const before = input.get(field.name)
    if (field.kind === 'list') input.set(field.name, [...((before as unknown[]) ?? []), ...[made].flat()])
    else if (input.has(field.name)) throw new UsageError(`${said}: expected once, got it twice`)
    else input.set(field.name, made)
  }
  return Object.fromEntries(input)
}

const plainName = (name: string): string => name.replaceAll('-', '_').toLowerCase()

const VALUES: Readonly<Record<FieldKind, string>> = {
  text: 'TEXT',
  number: 'X',
  integer: 'N',
  boolean: '',
  choice: '',
  list: '',
  json: 'JSON',
}

/** Each field with what it takes, for help. */
export function fieldRows(schema: Part): [string, string][] {
  return fieldsOf(schema).map((field) => {
    const { name, kind, choices, item, description, isRequired, minimum, maximum } = field
    const one = kind === 'list' ? (item ?? 'text') : kind
    const value =
      one === 'choice'
        ? choices.map(String).join('|')
        : one === 'boolean' && kind === 'list'
          ? 'true|false'
          : VALUES[one]
    const isBound = (bound: number | undefined): bound is number =>
      bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER
    const notes = [
      ...(isRequired && kind !== 'boolean' ? ['required'] : []),
      ...(kind === 'list' ? ['may be repeated'] : []),
      ...(field.default === undefined ? [] : [`default ${JSON.stringify(field.default)}`]),
      ...(isBound(minimum) ? [`at least ${minimum}`] : []),
      ...(isBound(maximum) ? [`at most ${maximum}`] : []),
    ]
    const summary = [description, notes.length === 0 ? '' : `(${notes.join(', ')})`]
      .filter((part) => part !== '')
      .join(' ')
    return [`--${name}${value === '' ? '' : ` ${value}`}`, summary]
  })
}
