// `--key value` on the command line for keys of a configuration. `--key=value`, `--no-key`, a bare `--key` for
// true, repeated `--key` for lists, `--section.key value` and JSON all work; `-` and `_` are the same in a key.
// The text becomes the type that the key wants, so `--run_name 7` is text and `--seed 7` is a number.

import type { z } from 'zod'
import { ConfigError } from '../errors.ts'
import { namesOf } from '../methods/fields.ts'
import { type ConfigKind, canonicalKey } from './kind.ts'

/** One pair as typed. `value` is true for a bare `--key` and false for `--no-key`. */
export interface Override {
  key: string
  value: string | boolean
  /** What was typed, for messages: `--learning-rate`. */
  flag: string
}

/** Lets a command take `--key value` for keys that are not in its table. */
export interface OverrideSyntax {
  /** Whether `--key next` uses up `next`; false for a boolean key before something else. */
  takesValue: (key: string, next: string) => boolean
  /** All keys, for suggestions. */
  keys: readonly string[]
  /** What prints everything about them. */
  schemaCommand: string
}

/** A value for a key, after joining repeated options and converting text. */
export interface OverrideValue {
  key: string
  value: unknown
  flag: string
}

/** Lets a command take every key of a kind of configuration. */
export function overridesOf(kind: ConfigKind): OverrideSyntax {
  return {
    keys: Object.keys(kind.fields),
    schemaCommand: kind.schemaCommand,
    takesValue: (key, next) => {
      const rewrite = kind.aliases[key]?.convert
      if (rewrite) return rewrite(looseValue(next)) !== undefined
      const field = fieldOf(kind, key)
      // `--bf16 run.yaml`: a key that can be true takes the next word only if the key can be that word.
      if (field === undefined || !accepts(field, true)) return true
      // Nobody names a file `yes`: what is meant is told where the value is checked.
      return /^(?:true|false|yes|no|on|off)$/i.test(next) || accepts(field, next)
    },
  }
}

/** Joins repeated options and converts their text to the type of the key. Unknown keys stay as they are. */
export function readOverrides(kind: ConfigKind, overrides: readonly Override[]): OverrideValue[] {
  const byKey = new Map<string, Override[]>()
  for (const override of overrides) byKey.set(override.key, [...(byKey.get(override.key) ?? []), override])
  const values: OverrideValue[] = []
  for (const [key, given] of byKey) {
    const { flag } = given[0]!
    const [section = key, ...path] = key.split('.')
    const isInside = path.length > 0 && !Object.hasOwn(kind.sections, section)
    if (isInside && canonicalKey(kind, key) === undefined) {
      addInside(values, section, path, looseValue(given.at(-1)!.value), flag)
      continue
    }
    const field = kind.aliases[key]?.convert === undefined ? fieldOf(kind, key) : undefined
    if (field !== undefined && !accepts(field, true) && given.some(({ value }) => value === true))
      throw new ConfigError(`${key}: expected a value after it, got nothing`, flag)
    const parts = given.map(({ value }) => convert(value, field))
    if (parts.length === 1) values.push({ key, value: parts[0], flag })
    else if (accepts(fieldOf(kind, key), parts.flat())) values.push({ key, value: parts.flat(), flag })
    else throw new ConfigError(`${key}: expected one value, got ${parts.length}`, flag)
  }
  return values
}

/** The schema of a key or of what an alias stands for; undefined for sections and unknown words. */
function fieldOf(kind: ConfigKind, word: string): z.ZodType | undefined {
  const key = canonicalKey(kind, word)
  return key === undefined ? undefined : kind.fields[key]
}

function accepts(field: z.ZodType | undefined, value: unknown): boolean {
  return field?.safeParse(value).success ?? false
}

function convert(value: string | boolean, field: z.ZodType | undefined): unknown {
  if (typeof value === 'boolean') return value
  if (field === undefined) return looseValue(value)
  const isFlag = value === 'true' || value === 'false'
  if (isFlag && accepts(field, value === 'true')) return value === 'true'
  const json = looseValue(value)
  if (typeof json === 'object' && accepts(field, json)) return json
  for (const candidate of [value, json, [value], namesOf(value)]) if (accepts(field, candidate)) return candidate
  // Nothing fits: the schema's own message is about the likeliest reading.
  return json
}

/** JSON where it is JSON, a list as YAML has it (`[a, b]`), else the text itself. */
function looseValue(value: string | boolean): unknown {
  if (typeof value === 'boolean') return value
  try {
    return JSON.parse(value)
  } catch {
    if (/^\s*\[/.test(value)) {
      const list = namesOf(value)
      if (Array.isArray(list)) return list.map(looseValue)
    }
    const number = value.trim() === '' ? Number.NaN : Number(value)
    return Number.isFinite(number) ? number : value
  }
}

// `--model.hidden_size 64` sets one key of a section and leaves the others; the rest is merged in parse.ts.
function addInside(values: OverrideValue[], section: string, path: string[], value: unknown, flag: string): void {
  let inner = value
  for (const key of path.toReversed()) inner = { [key]: inner }
  values.push({ key: `${section}.*`, value: inner, flag })
}
