// YAML and command-line overrides → a checked configuration that knows where each value came from.
// Steps: read → rename aliases → apply overrides → refuse unknown keys → check → fill in dependent defaults.

import { ConfigError } from '../errors.ts'
import { ALIAS_SECTIONS, ALIASES, WITHOUT_COUNTERPART } from './aliases.ts'
import { describeIssue, shown } from './describe-issue.ts'
import { nearest } from './nearest.ts'
import { type Override, type OverrideValue, readOverrides } from './overrides.ts'
import { isPreset } from './presets.ts'
import { type Place, readYaml, type YamlEntry } from './read-yaml.ts'
import {
  CONFIG_KEYS,
  type ConfigKey,
  checkConfig,
  completeDefaults,
  isConfigKey,
  type TrainConfig,
  type TrainConfigValues,
} from './schema.ts'

/** A configuration with what its reader should be told. */
export interface ParsedConfig {
  config: TrainConfig
  /** One line each, for people: aliases that were renamed, values that an override pushed out. */
  notices: string[]
  /** Where each value came from: `file:line:column`, `--flag` or `default`. */
  origins: Record<ConfigKey, string>
}

interface Setting {
  /** As written: an alias, a canonical key, or something unknown. */
  written: string
  value: unknown
  keyPlace: Place
  /** The place of the value, or of what is at `path` inside it. */
  placeOf(path: readonly PropertyKey[]): Place
}

/** In the order in which they are told: what is written may be what seems to be missing. */
type Fault = 'unknown' | 'wrong' | 'missing'

interface Problem {
  fault: Fault
  key: string
  /** The known key that an unknown one is close to. */
  meant?: string | undefined
  message: string
  place: Place
}

const AT_THE_END = Number.POSITIVE_INFINITY

/** Values of a program, as the schema takes them; `origin` says in messages where they come from. */
export interface GivenValues {
  values: TrainConfigValues
  origin: string
}

/**
 * Parses a training configuration. `text` is YAML, or undefined for a run from overrides or given values alone; `file` names it in
 * messages. Given values win over the file, overrides over both. Throws ConfigError with the place of the first problem and the names of the others.
 */
export function parseConfig(
  text: string | undefined,
  file: string,
  overrides: readonly Override[] = [],
  given?: GivenValues,
): ParsedConfig {
  const notices: string[] = []
  const problems: Problem[] = []
  const fromFile = text === undefined ? [] : readYaml(text, file)
  const settings = rename(fromFile.flatMap(openSection), notices, problems)
  if (given !== undefined) {
    const entries = Object.entries(given.values).filter(([, value]) => value !== undefined)
    applyValues(
      settings,
      entries.map(([key, value]) => ({ key, value, flag: given.origin })),
      notices,
      problems,
    )
  }
  applyValues(settings, readOverrides(overrides), notices, problems)

  const input: Record<string, unknown> = {}
  for (const [key, setting] of settings) {
    // `key:` with nothing after it is the same as leaving the line out.
    if (!isConfigKey(key)) problems.push(unknownKey(setting.written, setting.keyPlace))
    else if (setting.value !== null) input[key] = setting.value
  }
  const result = checkConfig(input)
  // A key that cannot be read is not missing, nor is one that is misspelt.
  const told = new Set(problems.flatMap(({ key, meant }) => [key, meant]))
  const isTold = (key: string): boolean => told.has(key) || told.has(settings.get(key)?.written ?? key)
  const issues = result.success ? [] : result.error.issues.filter(({ path }) => !isTold(String(path[0])))
  problems.push(
    ...issues.map((issue): Problem => {
      const [key, ...inside] = issue.path
      const setting = settings.get(String(key))
      const value = valueAt(setting?.value, inside)
      const name = issue.path.map(String).join('.')
      const as = setting && setting.written !== key ? ` (written as ${setting.written})` : ''
      const place = setting?.placeOf(inside) ?? { text: file, order: AT_THE_END }
      const fault = setting === undefined ? 'missing' : 'wrong'
      return { fault, key: name, message: `${name}${as}: ${describeIssue(issue, value)}`, place }
    }),
  )
  if (!result.success || problems.length > 0) throw asError(problems)
  const origin = (key: ConfigKey): string => settings.get(key)?.keyPlace.text ?? 'default'
  const origins = Object.fromEntries(CONFIG_KEYS.map((key) => [key, origin(key)])) as Record<ConfigKey, string>
  return { config: completeDefaults(result.data), notices, origins }
}

/**
 * A checked training configuration from values, with the defaults filled in. Throws ConfigError.
 *
 * @example
 * const config = trainConfig({ stage: 'sft', model_name_or_path: 'models/base', dataset: 'chats.jsonl', output_dir: 'runs/chats' })
 */
export function trainConfig(values: TrainConfigValues, origin = 'configuration'): TrainConfig {
  return parseConfig(undefined, origin, [], { values, origin }).config
}

/** Canonical key → setting. Two names for one key are a problem, because it is unclear which one counts. */
function rename(settings: readonly Setting[], notices: string[], problems: Problem[]): Map<string, Setting> {
  const byKey = new Map<string, Setting>()
  for (const setting of settings) {
    const [key, value] = canonical(setting, notices, problems)
    const before = byKey.get(key)
    if (before === undefined) byKey.set(key, { ...setting, value })
    else {
      const message = `${key}: expected it once, got ${before.written} and ${setting.written}. Keep one of them`
      problems.push({ fault: 'wrong', key: setting.written, message, place: setting.keyPlace })
    }
  }
  return byKey
}

function canonical(setting: Setting, notices: string[], problems: Problem[]): [key: string, value: unknown] {
  const { written, value } = setting
  if (written === 'model' && typeof value === 'string' && !isPreset(value)) {
    notices.push(`model: a directory is called model_name_or_path here; model is for presets and fresh models`)
    return ['model_name_or_path', value]
  }
  if (isConfigKey(written) || !Object.hasOwn(ALIASES, written)) return [written, value]
  const { to, from, convert, expects = `a value that ${to} can express` } = ALIASES[written]!
  const converted = convert ? convert(value) : value
  if (converted === undefined) {
    const message = `${written}: expected ${expects}, got ${shown(value)}. Write ${to} instead`
    problems.push({ fault: 'wrong', key: setting.written, message, place: setting.keyPlace })
  }
  notices.push(`${written} (${from}) is called ${to} here`)
  return [to, converted]
}

function applyValues(
  settings: Map<string, Setting>,
  given: readonly OverrideValue[],
  notices: string[],
  problems: Problem[],
): void {
  const asSetting = ({ key, value, flag }: OverrideValue): Setting => {
    const keyPlace = { text: flag, order: AT_THE_END }
    return { written: key, value, keyPlace, placeOf: () => keyPlace }
  }
  const whole = rename(given.filter(({ key }) => !key.endsWith('.*')).map(asSetting), notices, problems)
  pushOutModels(settings, whole, notices)
  for (const [key, setting] of whole) settings.set(key, setting)

  for (const partial of given.filter(({ key }) => key.endsWith('.*'))) {
    const key = partial.key.slice(0, -2)
    const before = settings.get(key)?.value
    const merged = { ...partial, key, value: mergeInside(isSection(before) ? before : {}, partial.value as Section) }
    settings.set(key, asSetting(merged))
  }
}

// A recipe names one model; another one on the command line replaces it instead of standing beside it.
function pushOutModels(settings: Map<string, Setting>, overrides: Map<string, Setting>, notices: string[]): void {
  const sources = ['model_name_or_path', 'model', 'config_path']
  const chosen = sources.find((key) => overrides.has(key))
  for (const key of sources) {
    if (chosen === undefined || key === chosen || !settings.delete(key)) continue
    notices.push(
      `${key} of the file is replaced by ${overrides.get(chosen)!.keyPlace.text.startsWith('--') ? '--' : ''}${chosen}`,
    )
  }
}

/** `optimizer: {lr: 1}` → `optimizer.lr: 1`, for sections of other trainers. */
function openSection({ key, value, keyPlace, placeOf }: YamlEntry): Setting[] {
  if (!ALIAS_SECTIONS.has(key) || !isSection(value)) return [{ written: key, value, keyPlace, placeOf }]
  return Object.entries(value).map(([inner, innerValue]) => ({
    written: `${key}.${inner}`,
    value: innerValue,
    keyPlace: placeOf([inner]),
    placeOf: (path) => placeOf([inner, ...path]),
  }))
}

type Section = Record<string, unknown>

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mergeInside(base: Section, change: Section): Section {
  const merged = { ...base }
  for (const [key, value] of Object.entries(change)) {
    const before = merged[key]
    merged[key] = isSection(before) && isSection(value) ? mergeInside(before, value) : value
  }
  return merged
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let inner = value
  for (const step of path) inner = isSection(inner) || Array.isArray(inner) ? inner[step as never] : undefined
  return inner
}

function unknownKey(written: string, place: Place): Problem {
  const as = { fault: 'unknown' as const, key: written, place }
  const advice = Object.hasOwn(WITHOUT_COUNTERPART, written) ? WITHOUT_COUNTERPART[written] : undefined
  if (advice !== undefined)
    return { ...as, message: `${shown(written).slice(1, -1)}: this key has no counterpart here. ${advice}` }
  const found = nearest(written, [...CONFIG_KEYS, ...Object.keys(ALIASES)])
  const meant = found !== undefined && Object.hasOwn(ALIASES, found) ? ALIASES[found]!.to : found
  const hint = found === undefined ? 'Run `anneal schema` to see the keys' : `Did you mean '${found}'?`
  return { ...as, message: `unknown key ${shown(written)}. ${hint}`, meant }
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
