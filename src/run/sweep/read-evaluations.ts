// What a sweep file says of evaluations: options of `anneal eval` for all, and under `languages` what each has of its own.
import type { RunEvalOptions } from '../eval/run-eval.ts'

/** An evaluation of every trained model, and of the models that they began with. */
export interface Evaluation {
  /** The language, or what else it is told from the others by; empty where there is one alone. */
  label: string
  options: EvaluationOptions
}

/** What `anneal eval` is asked, but for the model and where its files go. */
export type EvaluationOptions = Omit<RunEvalOptions, 'model' | 'outputPath'>
type Kind = 'text' | 'texts' | 'number' | 'flag'

/** As `anneal eval` has them, with underscores. */
const KEYS: Readonly<Record<string, readonly [keyof EvaluationOptions, Kind]>> = {
  tasks: ['tasks', 'texts'],
  data: ['data', 'text'],
  scorer: ['scorer', 'text'],
  identifier: ['identifier', 'text'],
  english_words: ['englishWords', 'text'],
  judge: ['judge', 'text'],
  limit: ['limit', 'number'],
  num_fewshot: ['numFewshot', 'number'],
  apply_chat_template: ['applyChatTemplate', 'flag'],
  system_instruction: ['systemInstruction', 'text'],
  bootstrap: ['bootstrap', 'number'],
  seed: ['seed', 'number'],
  batch_size: ['batchSize', 'number'],
}
const EXPECTED: Readonly<Record<Kind, string>> = {
  text: 'a text',
  texts: 'a name or a list of names',
  number: 'a number of at least 0',
  flag: 'true or false',
}

/** Reads `evaluate`; `refuse` is told the key below it, what was expected and what came. */
export function readEvaluations(
  value: unknown,
  refuse: (key: string, expected: string, got: unknown) => never,
): Evaluation[] {
  if (value === undefined) return []
  if (!isMap(value)) return refuse('evaluate', 'options of `anneal eval` such as tasks, and languages', value)
  const { languages, metrics: _, ...common } = value
  if (languages !== undefined && (!isMap(languages) || Object.keys(languages).length === 0))
    return refuse('evaluate.languages', 'names, each with what it has of its own such as data', languages)
  const each = languages === undefined ? { '': {} } : (languages as Record<string, unknown>)
  const shared = optionsOf(common, 'evaluate', refuse)
  return Object.entries(each).map(([label, own]) => {
    const place = `evaluate.languages.${label}`
    if (!isMap(own)) return refuse(place, 'what it has of its own, such as data', own)
    const options = { ...shared, ...optionsOf(own, place, refuse) }
    if (options.tasks === undefined || options.tasks.length === 0)
      return refuse(label === '' ? 'evaluate.tasks' : `${place}.tasks`, 'at least one task', options.tasks)
    return { label, options: { ...options, tasks: options.tasks } }
  })
}

/** Which metrics get a table; all where nothing is said. sweep.json has all of them. */
export function readMetrics(
  value: unknown,
  refuse: (key: string, expected: string, got: unknown) => never,
): string[] | undefined {
  const metrics = isMap(value) ? value.metrics : undefined
  if (metrics === undefined) return undefined
  if (Array.isArray(metrics) && metrics.length > 0 && metrics.every((each) => typeof each === 'string')) return metrics
  return refuse('evaluate.metrics', 'names of metrics such as [pct_stereotype]', metrics)
}

function optionsOf(
  values: Readonly<Record<string, unknown>>,
  place: string,
  refuse: (key: string, expected: string, got: unknown) => never,
): Partial<EvaluationOptions> {
  const entries = Object.entries(values).map(([key, value]) => {
    const [name, kind] = Object.hasOwn(KEYS, key) ? KEYS[key]! : []
    if (name === undefined || kind === undefined)
      return refuse(`${place}.${key}`, `one of ${Object.keys(KEYS).join(', ')}`, key)
    const isRight = {
      text: typeof value === 'string' && value !== '',
      texts: typeof value === 'string' || (Array.isArray(value) && value.every((each) => typeof each === 'string')),
      number: typeof value === 'number' && value >= 0,
      flag: typeof value === 'boolean',
    }[kind]
    if (!isRight) return refuse(`${place}.${key}`, EXPECTED[kind], value)
    return [name, kind === 'texts' ? [value].flat() : value] as const
  })
  return Object.fromEntries(entries) as Partial<EvaluationOptions>
}

/** Whether a value of a sweep file has keys of its own. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
