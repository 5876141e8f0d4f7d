// A kind of configuration, as data: its keys, and the other names that people know them by. Files, overrides, help and what is saved
// beside a result work alike for every kind. A key inside a section is written with a dot: `prune.ratio`.

import { z } from 'zod'
import type { Alias } from './aliases.ts'

/** What there is to know of a kind of configuration. `Checked` is what its schema gives. */
export interface ConfigKind<Checked extends object = object> {
  /** Of its JSON Schema. */
  readonly title: string
  readonly schema: z.ZodType<Checked>
  /** The schema of every key, in the order in which a resolved configuration is written. */
  readonly fields: Readonly<Record<string, z.ZodType>>
  /** Keys whose values are keys of their own; with the schema of the whole. */
  readonly sections: Readonly<Record<string, z.ZodType>>
  readonly aliases: Readonly<Record<string, Alias>>
  /** Keys that people bring along and that have no counterpart: what to write instead. */
  readonly withoutCounterpart: Readonly<Record<string, string>>
  /** What prints everything about the keys. */
  readonly schemaCommand: string
  /** Keys of which there is one at a time: one from the command line or a program replaces the others. */
  readonly alternatives: readonly string[]
  /** Titles for the help, each under the key that begins its group. */
  readonly groups: Readonly<Record<string, string>>
  /** Another key that a value means, and what is said of it. */
  readonly reread?: (key: string, value: unknown) => { key: string; notice: string } | undefined
}

/** Keys and sections of an object's schema; those of an optional section, too. */
export function keysOf(shape: Readonly<Record<string, z.ZodType>>): Pick<ConfigKind, 'fields' | 'sections'> {
  const fields: Record<string, z.ZodType> = {}
  const sections: Record<string, z.ZodType> = {}
  for (const [key, schema] of Object.entries(shape)) {
    const inside = objectIn(schema)
    if (inside === undefined) fields[key] = schema
    else {
      sections[key] = schema
      for (const [inner, field] of Object.entries(inside.shape)) fields[`${key}.${inner}`] = field as z.ZodType
    }
  }
  return { fields, sections }
}

/** The canonical name of a key, which may be an alias; undefined for a word that is no key. */
export function canonicalKey(kind: ConfigKind, word: string): string | undefined {
  if (Object.hasOwn(kind.fields, word) || Object.hasOwn(kind.sections, word)) return word
  return Object.hasOwn(kind.aliases, word) ? kind.aliases[word]!.to : undefined
}

/** `['prune', 'ratio']` for `prune.ratio` where `prune` is a section; else the key alone. */
export function partsOf(kind: ConfigKind, key: string): [section: string, inner: string] | [key: string] {
  const dot = key.indexOf('.')
  const section = key.slice(0, Math.max(0, dot))
  return dot > 0 && Object.hasOwn(kind.sections, section) ? [section, key.slice(dot + 1)] : [key]
}

/** The JSON Schema of a file of this kind, for editors. */
export function jsonSchemaOf({ schema, title }: ConfigKind): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', override: dropSafeIntegerBounds })
  return { $schema, title, ...rest }
}

function objectIn(schema: z.ZodType): z.ZodObject | undefined {
  if (schema instanceof z.ZodObject) return schema
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault)
    return objectIn(schema.unwrap() as unknown as z.ZodType)
  return undefined
}

// z.int() states ±(2^53 − 1) as bounds, which tells a reader nothing.
function dropSafeIntegerBounds({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
}
