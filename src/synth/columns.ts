// The recipe for data of any kind: named columns, each of them an answer to a prompt of the seed's fields and of columns before it.

import { ConfigError, InputError } from '../errors.ts'
import { checkOptionNames } from '../option-names.ts'
import type { Constraint } from '../prompting/base/constraint.ts'
import type { AskOptions } from '../prompting/base/model.ts'
import { type PromptText, prompt, quote } from '../prompting/data/prompt.ts'
import { where } from '../prompting/execute/where.ts'
import { standardSchema } from '../prompting/service/json-schema.ts'
import { type Recipe, Refused } from './recipe.ts'
import { checkNames, type Template, template } from './template.ts'

/** One column: a prompt, and what its answer has to be. */
export interface Column {
  name: string
  /** With `{{ name }}` for fields of the seed and earlier columns; `{{ name | quote }}` puts marks around a text of others. */
  prompt: string
  /** Instruction before it, a template too. */
  system?: string
  /** The answer is one of these. */
  choices?: readonly string[]
  /** The answer is of this pattern, of the kind that masks can keep to. */
  regex?: string
  /** The answer is JSON of this schema, and its value is the column's. */
  json_schema?: Readonly<Record<string, unknown>>
  /** Code points; at least 1 unless it says 0. */
  min_length?: number
  max_length?: number
  /** An answer that is one of these refuses the row: what a judge says of the columns before. */
  refuse?: readonly string[]
  max_tokens?: number
  temperature?: number
  top_p?: number
}

/** What a recipe of columns makes. */
export interface ColumnsOptions {
  columns: readonly Column[]
  /** What a row is: any value whose texts are templates. One that is `{{ name }}` alone gives the value itself. Default: all columns by their names. */
  row?: unknown
  /** Columns whose texts are new, for what is measured. Default: all without choices. */
  texts?: readonly string[] | undefined
}

const COLUMN: Readonly<Record<keyof Column, true>> = {
  name: true,
  prompt: true,
  system: true,
  choices: true,
  regex: true,
  json_schema: true,
  min_length: true,
  max_length: true,
  refuse: true,
  max_tokens: true,
  temperature: true,
  top_p: true,
}

/** Said behind a prompt whose answer was refused; the recipe's setup has it. */
const AGAIN = 'An earlier answer was refused, for this reason:'

type Values = Readonly<Record<string, unknown>>

/** What makes one column. */
interface Maker {
  readonly column: Column
  readonly prompt: Template
  readonly system: Template | undefined
  readonly options: AskOptions<unknown>
}

/**
 * A recipe of columns. Seeds are objects; a text is one with the field `text`. ConfigError for a template that asks for what there is not.
 *
 * @example
 * const recipe = columns({ columns: [
 *   { name: 'question', prompt: 'Write a question about {{ topic }}.', max_length: 200 },
 *   { name: 'answer', prompt: '{{ question }}' },
 * ] })
 */
export function columns({ columns: given, row, texts }: ColumnsOptions): Recipe<unknown, unknown> {
  if (given.length === 0) throw new ConfigError('columns: expected at least one, got none')
  const makers = given.map(makerOf)
  const names = given.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new ConfigError(`columns: expected each name once, got '${twice}' twice`)
  const leaves = leavesOf(row, [])
  const measured = texts ?? given.filter(({ choices }) => choices === undefined).map(({ name }) => name)
  const unknown = measured.find((name) => !names.includes(name))
  if (unknown !== undefined) throw new ConfigError(`texts: expected names of columns, got '${unknown}'`)
  return {
    name: 'columns',
    setup: { columns: given, row: row ?? null, texts: measured, again: AGAIN },
    check(seed) {
      const known = Object.keys(fieldsOf(seed))
      for (const [i, maker] of makers.entries()) {
        const before = [...known, ...names.slice(0, i)]
        checkNames(maker.prompt, before, `columns.${i}.prompt`)
        if (maker.system !== undefined) checkNames(maker.system, before, `columns.${i}.system`)
      }
      for (const { at, written } of leaves) checkNames(written, [...known, ...names], ['row', ...at].join('.'))
    },
    async make(seed, { model, attempt }) {
      const values: Record<string, unknown> = { ...fieldsOf(seed) }
      for (const maker of makers) {
        const { name, refuse = [] } = maker.column
        values[name] = await attempt((refused) => model.ask(asked(maker, values, refused), optionsOf(maker, values)))
        const value = values[name]
        if (refuse.includes(String(value))) throw new Refused(`${name}: ${value}`, JSON.stringify(values))
      }
      return row === undefined
        ? Object.fromEntries(names.map((name) => [name, values[name]]))
        : leaves.reduce<unknown>(
            (made, { at, written }) => replaced(made, at, written.value(values)),
            structuredClone(row),
          )
    },
    textsOf: (made) =>
      row === undefined
        ? measured.map((name) => textOf((made as Values)[name]))
        : leaves
            .filter(({ written }) => written.names.some((name) => measured.includes(name)))
            .map(({ at }) => textOf(at.reduce((value, key) => (value as Values)[key], made))),
  }
}

function makerOf(column: Column, i: number): Maker {
  const key = `columns.${i}`
  checkOptionNames(key, column, COLUMN)
  const { name, choices, regex, json_schema, min_length = 1, max_length } = column
  if (typeof name !== 'string' || !/^[\p{L}_][\p{L}\p{N}_-]*$/u.test(name))
    throw new ConfigError(`${key}.name: expected letters, digits, _ and -, got '${name}'`)
  const kinds = [choices, regex, json_schema].filter((one) => one !== undefined).length
  if (kinds > 1) throw new ConfigError(`${key}: expected one of choices, regex and json_schema, got ${kinds} of them`)
  if (json_schema !== undefined && (column.min_length ?? max_length) !== undefined)
    throw new ConfigError(`${key}: expected a json_schema without lengths, got both. Say them in the schema`)
  if (max_length !== undefined && max_length < min_length)
    throw new ConfigError(`${key}: expected min_length of at most max_length, got ${min_length} and ${max_length}`)
  const constraints: Constraint[] = []
  if (choices !== undefined) constraints.push(where.oneOf(choices))
  if (regex !== undefined) constraints.push(where.matches(regex))
  if (json_schema === undefined && choices === undefined && (min_length > 0 || max_length !== undefined))
    constraints.push(where.characters({ min: min_length, ...(max_length !== undefined && { max: max_length }) }))
  const { max_tokens, temperature, top_p } = column
  const options: AskOptions<unknown> = {
    again: 0, // it is asked again by the synthesis, which keeps what was refused
    ...(constraints.length > 0 && { where: constraints }),
    ...(json_schema !== undefined && { as: standardSchema(json_schema) }),
    ...(max_tokens !== undefined && { maxTokens: max_tokens }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { topP: top_p }),
  }
  const system = column.system === undefined ? undefined : template(column.system, `${key}.system`)
  return { column, prompt: template(column.prompt, `${key}.prompt`), system, options }
}

/** The prompt, and why the answer before was refused. */
function asked(maker: Maker, values: Values, refused: readonly Refused[]): PromptText {
  const question = maker.prompt.fill(values)
  const last = refused.at(-1)
  return last === undefined ? question : prompt`${question}\n\n${AGAIN}\n${quote(last.message, { name: 'reason' })}`
}

const optionsOf = ({ system, options }: Maker, values: Values): AskOptions<unknown> =>
  system === undefined ? options : { ...options, system: system.fill(values) }

function fieldsOf(seed: unknown): Values {
  if (typeof seed === 'string') return { text: seed }
  if (typeof seed === 'object' && seed !== null && !Array.isArray(seed)) return seed as Values
  throw new InputError(`expected an object or a text, got ${Array.isArray(seed) ? 'a list' : JSON.stringify(seed)}`)
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** A text of the row's shape, and where it stands. */
interface Leaf {
  readonly at: readonly string[]
  readonly written: Template
}

function leavesOf(shape: unknown, at: readonly string[]): Leaf[] {
  if (typeof shape === 'string') return [{ at, written: template(shape, ['row', ...at].join('.')) }]
  if (typeof shape !== 'object' || shape === null) return []
  return Object.entries(shape).flatMap(([key, inner]) => leavesOf(inner, [...at, key]))
}

/** The same with another value at a place. */
function replaced(shape: unknown, at: readonly string[], value: unknown): unknown {
  const [key, ...rest] = at
  if (key === undefined) return value
  const inside = shape as Record<string, unknown>
  inside[key] = replaced(inside[key], rest, value)
  return inside
}
