// What a file, a program and a command line say, key by key and by its canonical name, each with its place. No schema is asked here.

import type { Alias } from './aliases.ts'
import { shown } from './describe-issue.ts'
import { type ConfigKind, canonicalKey, partsOf } from './kind.ts'
import type { OverrideValue } from './overrides.ts'
import type { Place, YamlEntry } from './read-yaml.ts'

/** A key with its value. */
export interface Setting {
  /** As written: an alias, a canonical key, or something unknown. */
  written: string
  value: unknown
  keyPlace: Place
  /** The place of the value, or of what is at `path` inside it. */
  placeOf(path: readonly PropertyKey[]): Place
}

/** In the order in which they are told: what is written may be what seems to be missing. */
export type Fault = 'unknown' | 'wrong' | 'missing'

/** What is wrong with a key, and where. */
export interface Problem {
  fault: Fault
  key: string
  /** The known key that an unknown one is close to. */
  meant?: string | undefined
  message: string
  place: Place
}

/** Sorts behind every place in a file. */
export const AT_THE_END: number = Number.POSITIVE_INFINITY

/** Settings by canonical key; hears of notices and problems while it grows. */
export class Settings {
  readonly byKey: Map<string, Setting> = new Map()
  readonly notices: string[] = []
  readonly problems: Problem[] = []
  readonly #kind: ConfigKind

  constructor(kind: ConfigKind) {
    this.#kind = kind
  }

  /** Takes what a file says. */
  addFile(entries: readonly YamlEntry[]): void {
    const settings = entries.map(({ key, ...rest }): Setting => ({ written: key, ...rest }))
    for (const [key, setting] of this.#renamed(settings)) this.byKey.set(key, setting)
  }

  /** Takes values that win over what is there. */
  addValues(given: readonly OverrideValue[]): void {
    const whole = this.#renamed(given.filter(({ key }) => !key.endsWith('.*')).map(asSetting))
    this.#pushOutAlternatives(whole)
    for (const [key, setting] of whole) {
      // A section that is left out takes its keys along.
      if (Object.hasOwn(this.#kind.sections, key) && setting.value === null)
        for (const inner of [...this.byKey.keys()]) if (partsOf(this.#kind, inner)[0] === key) this.byKey.delete(inner)
      this.byKey.set(key, setting)
    }
    for (const partial of given.filter(({ key }) => key.endsWith('.*'))) {
      const key = partial.key.slice(0, -2)
      const before = this.byKey.get(key)?.value
      const value = mergeInside(isSection(before) ? before : {}, partial.value as Section)
      this.byKey.set(key, asSetting({ ...partial, key, value }))
    }
  }

  /** Two names for one key are a problem, because it is unclear which one counts. */
  #renamed(settings: readonly Setting[]): Map<string, Setting> {
    const byKey = new Map<string, Setting>()
    for (const setting of settings.flatMap((each) => this.#opened(each))) {
      const [key, value] = this.#canonical(setting)
      const before = byKey.get(key)
      if (before === undefined) byKey.set(key, { ...setting, value })
      else {
        const message = `${key}: expected it once, got ${before.written} and ${setting.written}. Keep one of them`
        this.problems.push({ fault: 'wrong', key: setting.written, message, place: setting.keyPlace })
      }
    }
    return byKey
  }

  /** `prune: {ratio: 0.2}` → `prune`, so that it is there, and `prune.ratio`; `optimizer: {lr: 1}` of other trainers → `optimizer.lr`. */
  #opened(setting: Setting): Setting[] {
    const { written, value, placeOf } = setting
    const isOwn = Object.hasOwn(this.#kind.sections, written)
    if (isOwn && isLeftOut(value)) return [{ ...setting, value: null }]
    if (!isSection(value) || !(isOwn || sectionsOfAliases(this.#kind.aliases).has(written))) return [setting]
    const inside = Object.entries(value).map(
      ([inner, innerValue]): Setting => ({
        written: `${written}.${inner}`,
        value: innerValue,
        keyPlace: placeOf([inner]),
        placeOf: (path) => placeOf([inner, ...path]),
      }),
    )
    return isOwn ? [{ ...setting, value: {} }, ...inside] : inside
  }

  #canonical({ written, value, keyPlace }: Setting): [key: string, value: unknown] {
    const kind = this.#kind
    const other = kind.reread?.(written, value)
    if (other !== undefined) {
      this.notices.push(other.notice)
      return [other.key, value]
    }
    if (canonicalKey(kind, written) === written || !Object.hasOwn(kind.aliases, written)) return [written, value]
    const { to, from, convert, expects = `a value that ${to} can express` } = kind.aliases[written]!
    const converted = convert ? convert(value) : value
    if (converted === undefined) {
      const message = `${written}: expected ${expects}, got ${shown(value)}. Write ${to} instead`
      this.problems.push({ fault: 'wrong', key: written, message, place: keyPlace })
    }
    this.notices.push(`${written} (${from}) is called ${to} here`)
    return [to, converted]
  }

  // A recipe names one model; another one on the command line replaces it instead of standing beside it.
  #pushOutAlternatives(given: ReadonlyMap<string, Setting>): void {
    const { alternatives } = this.#kind
    const chosen = alternatives.find((key) => given.has(key))
    for (const key of alternatives) {
      if (chosen === undefined || key === chosen || !this.byKey.delete(key)) continue
      const dashes = given.get(chosen)!.keyPlace.text.startsWith('--') ? '--' : ''
      this.notices.push(`${key} of the file is replaced by ${dashes}${chosen}`)
    }
  }
}

/** A value inside a value; undefined where there is none. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let inner = value
  for (const step of path) inner = isSection(inner) || Array.isArray(inner) ? inner[step as never] : undefined
  return inner
}

type Section = Record<string, unknown>

/** Whether a value holds keys of its own. */
export function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `prune:` with nothing after it, and `--no-prune`. */
function isLeftOut(value: unknown): boolean {
  return value === null || value === false
}

function asSetting({ key, value, flag }: OverrideValue): Setting {
  const keyPlace = { text: flag, order: AT_THE_END }
  return { written: key, value, keyPlace, placeOf: () => keyPlace }
}

function sectionsOfAliases(aliases: Readonly<Record<string, Alias>>): ReadonlySet<string> {
  return new Set(
    Object.keys(aliases).flatMap((alias) => (alias.includes('.') ? [alias.slice(0, alias.indexOf('.'))] : [])),
  )
}

function mergeInside(base: Section, change: Section): Section {
  const merged = { ...base }
  for (const [key, value] of Object.entries(change)) {
    const before = merged[key]
    merged[key] = isSection(before) && isSection(value) ? mergeInside(before, value) : value
  }
  return merged
}
