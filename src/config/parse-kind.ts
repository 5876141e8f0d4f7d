// YAML, values of a program and overrides → a checked configuration of any kind that knows where each value came from.
// Steps: read → rename aliases → apply values and overrides → refuse unknown keys → check.

import type { z } from 'zod'
import { ConfigError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { describeIssue, shown } from './describe-issue.ts'
import { type ConfigKind, canonicalKey, partsOf } from './kind.ts'
import { type Override, readOverrides } from './overrides.ts'
import { type Place, readYaml } from './read-yaml.ts'
import { AT_THE_END, isSection, type Problem, type Setting, Settings, valueAt } from './settings.ts'

/** What a configuration is made of; what stands further down wins. */
export interface ConfigSources {
  /** YAML; undefined for a configuration from overrides or values alone. */
  text: string | undefined
  /** Names it in messages. */
  file: string
  /** Values of a program, and what messages say of where they come from. */
  given?: { values: object; origin: string } | undefined
  overrides?: readonly Override[] | undefined
}

/** A checked configuration, and what its reader should be told. */
export interface CheckedConfig<Checked> {
  checked: Checked
  /** One line each, for people: aliases that were renamed, values that an override pushed out. */
  notices: string[]
  /** Where each value came from: `file:line:column`, `--flag` or `default`. */
  origins: Record<string, string>
}

/** Throws ConfigError with the place of the first problem and the names of the others. */
export function parseKind<Checked extends object>(
  kind: ConfigKind<Checked>,
  { text, file, given, overrides = [] }: ConfigSources,
): CheckedConfig<Checked> {
  const settings = new Settings(kind)
  if (text !== undefined) settings.addFile(readYaml(text, file))
  if (given !== undefined) {
    const entries = Object.entries(given.values).filter(([, value]) => value !== undefined)
    settings.addValues(entries.map(([key, value]) => ({ key, value, flag: given.origin })))
  }
  settings.addValues(readOverrides(kind, overrides))

  const { byKey, problems, notices } = settings
  const result = kind.schema.safeParse(inputOf(kind, byKey, problems))
  // A key that cannot be read is not missing, nor is one that is misspelt.
  const told = new Set(problems.flatMap(({ key, meant }) => [key, meant]))
  for (const issue of result.success ? [] : result.error.issues) {
    const { key, setting, inside } = settingAt(kind, byKey, issue.path)
    if (told.has(key) || told.has(setting?.written ?? key)) continue
    const otherwise = sectionPlace(kind, byKey, key) ?? { text: file, order: AT_THE_END }
    problems.push(problemOf(issue, key, setting, inside, otherwise))
  }
  if (!result.success || problems.length > 0) throw asError(problems)
  const origin = (key: string): string => byKey.get(key)?.keyPlace.text ?? 'default'
  const origins = Object.fromEntries(Object.keys(kind.fields).map((key) => [key, origin(key)]))
  return { checked: result.data, notices, origins }
}

/** What the schema is given: known keys with values, those of a section together. */
function inputOf(
  kind: ConfigKind,
  settings: ReadonlyMap<string, Setting>,
  problems: Problem[],
): Record<string, unknown> {
  const input: Record<string, unknown> = {}
  for (const [key, { written, value, keyPlace }] of settings) {
    const [outer, inner] = partsOf(kind, key)
    if (canonicalKey(kind, key) !== key) problems.push(unknownKey(kind, written, key, keyPlace))
    // `key:` with nothing after it is the same as leaving the line out.
    else if (value === null) continue
    else if (inner === undefined) input[key] ??= Object.hasOwn(kind.sections, key) && isSection(value) ? {} : value
    else {
      input[outer] ??= {}
      const section = input[outer]
      // Something else in place of the section is told by the schema.
      if (isSection(section)) section[inner] = value
    }
  }
  return input
}

/** The setting that an issue is about, and where inside its value. */
function settingAt(
  kind: ConfigKind,
  settings: ReadonlyMap<string, Setting>,
  path: readonly PropertyKey[],
): { key: string; setting: Setting | undefined; inside: readonly PropertyKey[] } {
  const [outer, inner] = path.map(String)
  const dotted = `${outer}.${inner}`
  if (inner !== undefined && Object.hasOwn(kind.fields, dotted))
    return { key: dotted, setting: settings.get(dotted), inside: path.slice(2) }
  return { key: String(outer), setting: settings.get(String(outer)), inside: path.slice(1) }
}

/** Where what a section lacks is told: the section, but behind what is wrong with the keys that it has. */
function sectionPlace(kind: ConfigKind, settings: ReadonlyMap<string, Setting>, key: string): Place | undefined {
  const [outer, inner] = partsOf(kind, key)
  const section = inner === undefined ? undefined : settings.get(outer)
  if (section === undefined) return undefined
  const inside = [...settings].filter(([each]) => partsOf(kind, each)[0] === outer)
  return { text: section.keyPlace.text, order: Math.max(...inside.map(([, { keyPlace }]) => keyPlace.order)) + 0.5 }
}

function problemOf(
  issue: z.core.$ZodIssue,
  key: string,
  setting: Setting | undefined,
  inside: readonly PropertyKey[],
  otherwise: Place,
): Problem {
  const name = issue.path.map(String).join('.')
  const as = setting && setting.written !== key ? ` (written as ${setting.written})` : ''
  const place = setting?.placeOf(inside) ?? otherwise
  const fault = setting === undefined ? 'missing' : 'wrong'
  return { fault, key: name, message: `${name}${as}: ${describeIssue(issue, valueAt(setting?.value, inside))}`, place }
}

function unknownKey(kind: ConfigKind, written: string, key: string, place: Place): Problem {
  const as = { fault: 'unknown' as const, key, place }
  const { withoutCounterpart, aliases, schemaCommand } = kind
  const advice = Object.hasOwn(withoutCounterpart, written) ? withoutCounterpart[written] : undefined
  if (advice !== undefined)
    return { ...as, message: `${shown(written).slice(1, -1)}: this key has no counterpart here. ${advice}` }
  const found = nearestKey(kind, key)
  const meant = found !== undefined && Object.hasOwn(aliases, found) ? aliases[found]!.to : found
  const [section, inner] = partsOf(kind, key)
  const others = inner === undefined ? `Run \`${schemaCommand}\` to see the keys` : keysInside(kind, section)
  const hint = found === undefined ? others : `Did you mean '${found}'?`
  return { ...as, message: `unknown key ${shown(written)}. ${hint}`, meant }
}

/** The nearest key, of the same section where there is one; else the same word elsewhere. */
function nearestKey(kind: ConfigKind, key: string): string | undefined {
  const known = [...Object.keys(kind.fields), ...Object.keys(kind.sections), ...Object.keys(kind.aliases)]
  const [outer, inner] = partsOf(kind, key)
  const word = inner ?? outer
  const elsewhere = known.find((each) => each !== key && each.slice(each.lastIndexOf('.') + 1) === word)
  if (inner === undefined) return nearest(word, known) ?? elsewhere
  const inside = known.filter((each) => each.startsWith(`${outer}.`)).map((each) => each.slice(outer.length + 1))
  const found = nearest(word, inside)
  return found === undefined ? elsewhere : `${outer}.${found}`
}

function keysInside(kind: ConfigKind, section: string): string {
  const inside = Object.keys(kind.fields).filter((each) => each.startsWith(`${section}.`))
  return `The keys of ${section} are ${inside.map((each) => each.slice(section.length + 1)).join(', ')}`
}

/** The first fault in the file in full, and the others by what they are: `; also unknown: x (f.yaml:2:1); missing: y`. */
function asError(problems: readonly Problem[]): ConfigError {
  const [first, ...others] = problems.toSorted((a, b) => a.place.order - b.place.order)
  const listed = (['unknown', 'wrong', 'missing'] as const).flatMap((fault) => {
    const keys = others.filter((other) => other.fault === fault).map(named)
    return keys.length === 0 ? [] : [`${fault === first!.fault ? 'also ' : ''}${fault}: ${keys.join(', ')}`]
  })
  const also = listed.map((group) => `; ${group}`).join('')
  return new ConfigError(first!.message, first!.place.text, {}, also)
}

function named({ fault, key, meant, place }: Problem): string {
  if (fault === 'missing') return key
  return `${key} (${place.text}${meant === undefined ? '' : `, '${meant}'?`})`
}
