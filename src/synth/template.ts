// Templates of a configuration: words with `{{ name }}` in them, where values go in as data.

import { ConfigError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import { PromptText, prompt, quote } from '../prompting/data/prompt.ts'

type Part = { readonly text: string } | { readonly name: string; readonly isQuoted: boolean }

/** A template that was read. */
export interface Template {
  /** What it asks for. */
  readonly names: readonly string[]
  /** The text with values; a text goes in as it is, all else as JSON. */
  fill(values: Readonly<Record<string, unknown>>): PromptText
  /** The value itself where the template is one name and nothing else; else its text. */
  value(values: Readonly<Record<string, unknown>>): unknown
}

const HOLE = /\{\{\s*([^{}|]*?)\s*(?:\|\s*([^{}]*?)\s*)?\}\}/g

/**
 * Reads a template: `{{ name }}` stands for a value, `{{ name | quote }}` for it between marks, `<name>` and `</name>`, which it cannot
 * spell itself. `key` says in errors where it stands. ConfigError for what is no name.
 */
export function template(source: string, key: string): Template {
  const parts: Part[] = []
  let from = 0
  for (const { 0: whole, 1: name, 2: filter, index } of source.matchAll(HOLE)) {
    if (!/^[\p{L}_][\p{L}\p{N}_-]*$/u.test(name!))
      throw new ConfigError(`${key}: expected a name between {{ and }}, got '${name}'`)
    if (filter !== undefined && filter !== 'quote')
      throw new ConfigError(`${key}: expected {{ ${name} }} or {{ ${name} | quote }}, got ${whole}`)
    if (index > from) parts.push({ text: source.slice(from, index) })
    parts.push({ name: name!, isQuoted: filter !== undefined })
    from = index + whole.length
  }
  if (from < source.length) parts.push({ text: source.slice(from) })
  const names = parts.flatMap((part) => ('name' in part ? [part.name] : []))
  const fill: Template['fill'] = (values) =>
    new PromptText(
      parts.flatMap((part) => {
        if ('text' in part) return [{ text: part.text, isValue: false }]
        const text = textOf(values[part.name])
        return part.isQuoted ? quote(text, { name: markOf(part.name) }).parts : prompt`${text}`.parts
      }),
    )
  const [only] = parts
  const isOne = parts.length === 1 && only !== undefined && 'name' in only && !only.isQuoted
  return { names, fill, value: (values) => (isOne ? values[names[0]!] : String(fill(values))) }
}

/** Checks that every name of a template is known; ConfigError with the nearest one. */
export function checkNames({ names }: Template, known: readonly string[], key: string): void {
  const wrong = names.find((name) => !known.includes(name))
  if (wrong === undefined) return
  throw new ConfigError(
    `${key}: expected a field of the seeds or an earlier column, got '${wrong}'.${didYouMean(wrong, known) || ` There are ${known.join(', ')}`}`,
  )
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** Letters and digits, as marks may have them. */
const markOf = (name: string): string => (/^[A-Za-z][\w-]{0,31}$/.test(name) ? name : 'text')
