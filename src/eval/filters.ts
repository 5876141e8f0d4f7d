// What is made of a model's answers before they are scored: chains of filters by lm-evaluation-harness's names.

import { ConfigError } from '../errors.ts'
import { strip } from '../text/jinja/text.ts'
import { pythonEscape, pythonFindAll, pythonSub } from '../text/python-regex.ts'
import { brief, type Doc, type FilterConfig, type OutputType } from './task-config.ts'

/** Answers to one request (as many as the task repeats it) → what is scored. Texts, or [sum, isGreedy]. */
export type Filter = (answers: readonly unknown[], doc: Doc) => unknown

type Options = Readonly<Record<string, unknown>>
type Step = (value: unknown, doc: Doc) => unknown

/** Filters that choose among answers and do not read them. */
const CHOOSING: readonly string[] = ['take_first', 'take_first_k', 'majority_vote']

/** Makes a filter of a chain; without one, the first answer is taken. ConfigError names what is unknown, or reads texts where there are none. */
export function makeFilter(config: FilterConfig | undefined, task: string, kind: OutputType): Filter {
  if (config === undefined) return ([first]) => first
  const { name: chain, filter } = (config ?? {}) as Partial<FilterConfig>
  if (typeof chain !== 'string' || !Array.isArray(filter))
    throw new ConfigError(
      `filter_list of task ${task}: expected entries with \`name\` and a list \`filter\`, got ${brief(config)}`,
    )
  const possible = kind === 'generate_until' ? Object.keys(FILTERS) : CHOOSING
  const steps = filter.map((entry: FilterConfig['filter'][number] | null): Step => {
    const { function: name = '', ...options } = entry ?? {}
    if (possible.includes(name)) return FILTERS[name]!(options)
    throw new ConfigError(
      `filter_list of task ${task}: expected for ${kind} one of ${possible.join(', ')}, got ${brief(name)}`,
    )
  })
  return (answers, doc) => steps.reduce<unknown>((value, step) => step(value, doc), answers)
}

const each =
  (change: (text: string, doc: Doc) => unknown): Step =>
  (value, doc) =>
    (value as readonly unknown[]).map((text) => change(typeof text === 'string' ? text : '', doc))

const FILTERS: Readonly<Record<string, (options: Options) => Step>> = {
  take_first: () => (value) => (value as readonly unknown[])[0],
  take_first_k:
    ({ k }) =>
    (value) =>
      (value as readonly unknown[]).slice(0, Number(k)),
  majority_vote: () => (value) => [mostFrequent(value as readonly unknown[])],
  lowercase: () => each((text) => text.toLowerCase()),
  uppercase: () => each((text) => text.toUpperCase()),
  remove_whitespace: () => each((text) => strip(text, undefined, 'both')),
  map: ({ mapping_dict: mapping = {}, default_value: other = null }) =>
    each((text) => (Object.hasOwn(mapping as object, text) ? (mapping as Record<string, unknown>)[text] : other)),
  regex: (options) => {
    const { pattern, group, fallback } = regexOptions(options)
    return each((text) => findMatch(pattern, text, group) ?? fallback)
  },
  multi_choice_regex: (options) => {
    const { pattern, group, fallback } = regexOptions(options)
    return each((text, doc) => findMatch(pattern, text, group) || letterOf(text, doc, options, group) || fallback)
  },
}

function regexOptions({ regex_pattern: pattern, group_select: group = 0, fallback = '[invalid]' }: Options): {
  pattern: string
  group: number
  fallback: string
} {
  return { pattern: String(pattern ?? '#### (\\-?[0-9\\.\\,]+)'), group: Number(group), fallback: String(fallback) }
}

/** The match of a number, from the end where that is negative; of several groups the first that is not empty. */
function findMatch(pattern: string, text: string, group: number): string | undefined {
  const match = pythonFindAll(pattern, text).at(group)
  if (match === undefined) return undefined
  const found = typeof match === 'string' ? match : match.find((part) => part !== '')
  return found === undefined ? undefined : strip(found, undefined, 'both')
}

/** The letter of the choice that an answer spells out, or of one that it names behind a colon. */
function letterOf(text: string, doc: Doc, options: Options, group: number): string | undefined {
  const { ignore_case: noCase = false, ignore_punctuation: noMarks = false, regexes_to_ignore: ignored } = options
  const plain = (value: string): string => {
    let result = value
    for (const pattern of (ignored as readonly string[] | undefined) ?? []) result = pythonSub(pattern, '', result)
    if (noCase) result = result.toLowerCase()
    return noMarks ? result.replaceAll(/\p{P}/gu, '') : result
  }
  const choices = ((doc.choices as readonly unknown[] | undefined) ?? []).map((choice) =>
    plain(strip(String(choice), undefined, 'both')),
  )
  const letters = choices.map((_, i) => String.fromCharCode(65 + i))
  // A choice that begins another one must not be found in it.
  const spelled = [...choices].sort((a, b) => b.length - a.length).map(pythonEscape)
  const found = findMatch(spelled.join('|'), plain(text), group)
  if (found) return choices.includes(found) ? `(${letters[choices.lastIndexOf(found)]})` : found
  const named = findMatch(`:[\\s]*(${letters.join('|')})`, text, group)
  return named === undefined ? undefined : `(${named})`
}

/** The most frequent one; of equals the first. */
function mostFrequent(values: readonly unknown[]): unknown {
  const counts = new Map<string, { value: unknown; count: number }>()
  for (const value of values) {
    const key = JSON.stringify(value)
    counts.set(key, { value, count: (counts.get(key)?.count ?? 0) + 1 })
  }
  let best: { value: unknown; count: number } | undefined
  for (const entry of counts.values()) if (best === undefined || entry.count > best.count) best = entry
  return best?.value
}
