// What a task is, in the words of lm-evaluation-harness's YAML (0.4.13), so that a file of theirs, a built-in task and a user's TypeScript
// file are one thing. Where YAML has a template or a field's name, TypeScript may have a function.

import { ConfigError } from '../errors.ts'
import type { ChatMessage } from '../text/chat-template.ts'
import type { Tell } from '../work.ts'

/** A document: one row of the data. */
export type Doc = Readonly<Record<string, unknown>>

/** The documents by split. */
export type Splits = Readonly<Record<string, readonly Doc[]>>

/** A field's name, a Jinja template over the document's fields, or a function of the document. */
export type DocField<T> = string | ((doc: Doc) => T)

/** What is asked of a model for each document. */
export type OutputType = 'multiple_choice' | 'loglikelihood' | 'loglikelihood_rolling' | 'generate_until'

/** One entry of `metric_list`; further keys are options of the metric, such as `ignore_case`. */
export interface MetricConfig {
  metric: string
  aggregation?: string
  higher_is_better?: boolean
  [option: string]: unknown
}

/** A chain of filters over the answers, under a name. */
export interface FilterConfig {
  name: string
  filter: readonly { function: string; [option: string]: unknown }[]
}

/** How few-shot examples are chosen and written; what is left out is the task's own. */
export interface FewshotConfig {
  /** `default` draws with CPython's `random.sample`, `first_n` takes the first ones. */
  sampler?: 'default' | 'first_n'
  split?: string
  samples?: readonly Doc[]
  /** Is known and not used, as in lm-eval 0.4.13. */
  fewshot_indices?: readonly number[]
  process_docs?: (docs: readonly Doc[]) => readonly Doc[]
  doc_to_text?: DocField<string | number>
  doc_to_choice?: DocField<readonly string[]> | readonly string[] | Readonly<Record<string, string>>
  doc_to_target?: DocField<string | number | readonly (string | number)[]> | number
  gen_prefix?: string
  fewshot_delimiter?: string
  target_delimiter?: string
}

/** How a `generate_until` task is answered. Names are lm-eval's; `max_new_tokens` and `max_tokens` mean `max_gen_toks`. */
export interface GenerationKwargs {
  until?: string | readonly string[]
  max_gen_toks?: number
  do_sample?: boolean
  temperature?: number
  top_p?: number
  top_k?: number
  [option: string]: unknown
}

/** A document with its answers, as it is given to `annotate`. */
export interface Answered {
  doc: Doc
  /** The answers to its one question; as many as the task repeats it. */
  answers: readonly string[]
}

/** What `annotate` finds of a document: anything that JSON holds. Samples keep it. */
export type Annotations = Readonly<Record<string, unknown>>

/** What `annotate` may use. */
export interface AnnotateOptions {
  /** The tokens of a text, as the model that answered reads it; absent where that is not known. */
  encode?: ((text: string) => readonly unknown[]) | undefined
  tell?: Tell | undefined
  signal?: AbortSignal | undefined
}

/**
 * A task. `output_type` is `generate_until` where it is left out, as there.
 *
 * @example
 * export default {
 *   task: 'capitals',
 *   output_type: 'multiple_choice',
 *   test_split: 'test',
 *   custom_dataset: () => ({ test: [{ country: 'Denmark', choices: ['Aarhus', 'København'], gold: 1 }] }),
 *   doc_to_text: (doc) => `The capital of ${doc.country} is`,
 *   doc_to_choice: 'choices',
 *   doc_to_target: 'gold',
 * } satisfies TaskConfig
 */
export interface TaskConfig {
  task: string
  task_alias?: string
  tag?: string | readonly string[]
  /** `json`, `csv`, `parquet`, `text` with `dataset_kwargs.data_files`; a directory; or a name on the Hub, whose files `--data` holds. */
  dataset_path?: string
  dataset_name?: string
  dataset_kwargs?: { data_files?: unknown; data_dir?: string; [option: string]: unknown }
  /** Gives the documents itself, in place of `dataset_path`. `data` is the directory that the user named, if any. */
  custom_dataset?: (data: string | undefined) => Splits | Promise<Splits>
  training_split?: string
  validation_split?: string
  test_split?: string
  fewshot_split?: string
  process_docs?: (docs: readonly Doc[]) => readonly Doc[]
  doc_to_text?: DocField<string | number>
  /**
   * The turns of a dialogue before the answer, in place of `doc_to_text`: not lm-eval's. Without a chat template each stands in a line behind
   * `Client:` or `Counsellor:`, the system's without a name.
   */
  doc_to_messages?: (doc: Doc) => readonly ChatMessage[]
  doc_to_target?: DocField<string | number | readonly (string | number)[]> | number | readonly (string | number)[]
  doc_to_choice?: DocField<readonly string[]> | readonly string[] | Readonly<Record<string, string>>
  /**
   * What others say of the answers before they are counted, for all documents at once and in their order: a classifier's scores, languages,
   * another model's numbers. `process_results` gets it. Of `generate_until` tasks only.
   */
  annotate?: (answered: readonly Answered[], options: AnnotateOptions) => Promise<readonly Annotations[]>
  /** Metrics of one document from the answers to its requests, in place of those of `metric_list`; `tokens`: of each continuation, where known. */
  process_results?: (
    doc: Doc,
    results: readonly unknown[],
    tokens?: readonly number[],
    annotations?: Annotations,
  ) => Readonly<Record<string, unknown>>
  description?: string
  target_delimiter?: string
  fewshot_delimiter?: string
  fewshot_config?: FewshotConfig
  num_fewshot?: number
  output_type?: OutputType
  metric_list?: readonly MetricConfig[]
  generation_kwargs?: GenerationKwargs
  repeats?: number
  filter_list?: readonly FilterConfig[]
  gen_prefix?: string
  should_decontaminate?: boolean
  doc_to_decontamination_query?: DocField<string>
  metadata?: Readonly<Record<string, unknown>>
}

/** One entry of a group's `aggregate_metric_list`. */
export interface GroupMetric {
  metric: string
  filter_list?: string | readonly string[]
  aggregation?: string
  weight_by_size?: boolean
}

/** Tasks under one name, with the means of their metrics. */
export interface GroupConfig {
  group: string
  group_alias?: string
  /** Names of tasks and groups, whole tasks, and groups. */
  task: readonly (string | TaskConfig | GroupConfig)[]
  aggregate_metric_list?: readonly GroupMetric[]
  metadata?: Readonly<Record<string, unknown>>
}

const KNOWN_KEYS: ReadonlySet<string> = new Set(
  (
    'task task_alias tag dataset_path dataset_name dataset_kwargs custom_dataset training_split validation_split test_split fewshot_split ' +
    'process_docs doc_to_text doc_to_messages doc_to_target doc_to_choice annotate process_results description target_delimiter fewshot_delimiter fewshot_config ' +
    'num_fewshot output_type metric_list generation_kwargs repeats filter_list gen_prefix should_decontaminate doc_to_decontamination_query metadata'
  ).split(' '),
)
/** Keys of lm-eval's that ask for what there is none of here. */
const REFUSED: Readonly<Record<string, string>> = {
  doc_to_image: 'a model that sees',
  doc_to_audio: 'a model that hears',
  use_prompt: 'promptsource, a Python package',
  unsafe_code: 'running what a model wrote',
}
const MAX_REPEATS = 10_000
const OUTPUT_TYPES: readonly OutputType[] = [
  'multiple_choice',
  'loglikelihood',
  'loglikelihood_rolling',
  'generate_until',
]

/** Checks the shape of what a file gave. ConfigError names the file and the key. */
export function checkTaskConfig(value: Readonly<Record<string, unknown>>, file: string): TaskConfig {
  const wrong = (key: string, expected: string): ConfigError =>
    new ConfigError(`${key} in ${file}: expected ${expected}, got ${brief(value[key])}`)
  for (const key of Object.keys(value)) {
    const needs = Object.hasOwn(REFUSED, key) ? REFUSED[key] : undefined
    if (needs !== undefined && value[key] !== null && value[key] !== false)
      throw new ConfigError(`${key} in ${file}: expected a task without it, got one that needs ${needs}`)
    if (needs === undefined && !KNOWN_KEYS.has(key))
      throw new ConfigError(`${key} in ${file}: expected a key of a task, got an unknown one. Correct or remove it`)
  }
  if (typeof value.task !== 'string' || value.task === '') throw wrong('task', 'the name of the task')
  if (value.output_type !== undefined && !OUTPUT_TYPES.includes(value.output_type as OutputType))
    throw wrong('output_type', OUTPUT_TYPES.join(', '))
  for (const key of ['num_fewshot', 'repeats'])
    if (value[key] !== undefined && value[key] !== null && !(Number.isInteger(value[key]) && Number(value[key]) >= 0))
      throw wrong(key, 'a whole number ≥ 0')
  if (Number(value.repeats ?? 0) > MAX_REPEATS) throw wrong('repeats', `at most ${MAX_REPEATS}`)
  for (const key of ['metric_list', 'filter_list'])
    if (value[key] !== undefined && value[key] !== null && !Array.isArray(value[key])) throw wrong(key, 'a list')
  for (const key of ['generation_kwargs', 'fewshot_config', 'dataset_kwargs'])
    if (value[key] !== undefined && value[key] !== null && !isObject(value[key])) throw wrong(key, 'keys with values')
  if (Array.isArray(value.metric_list) && value.metric_list.length === 0 && value.process_results === undefined)
    throw wrong('metric_list', 'at least one metric')
  checkGeneration((value.generation_kwargs ?? {}) as GenerationKwargs, file)
  if (value.doc_to_target === undefined && value.process_results === undefined)
    throw wrong('doc_to_target', 'a template')
  if (value.output_type === 'multiple_choice' && value.doc_to_choice === undefined)
    throw wrong('doc_to_choice', 'choices')
  const isGiven = ([key, entry]: [string, unknown]): boolean => entry !== null && !(key in REFUSED)
  return Object.fromEntries(Object.entries(value).filter(isGiven)) as unknown as TaskConfig
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): boolean => typeof value === 'string'
const isNumber = (value: unknown): boolean => typeof value === 'number' && value >= 0
const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1

/** What is said of an option, and whether a value is it. */
const GENERATION: Readonly<Record<string, readonly [string, (value: unknown) => boolean]>> = {
  until: ['texts', (value) => isText(value) || (Array.isArray(value) && value.every(isText))],
  do_sample: ['true or false', (value) => typeof value === 'boolean'],
  temperature: ['a number ≥ 0 (YAML has 1.0e-3 for a number, and 1e-3 for a text)', isNumber],
  top_p: ['a number ≥ 0 (YAML has 1.0e-3 for a number, and 1e-3 for a text)', isNumber],
  top_k: ['a whole number ≥ 0', (value) => value === 0 || isCount(value)],
  ...Object.fromEntries(
    ['max_gen_toks', 'max_new_tokens', 'max_tokens', 'max_completion_tokens'].map(
      (key) => [key, ['a whole number ≥ 1', isCount]] as const,
    ),
  ),
}

/** Options of Transformers' generate that are not carried out here, with the value that changes no answer. */
const WITHOUT_EFFECT: Readonly<Record<string, unknown>> = {
  num_beams: 1,
  num_return_sequences: 1,
  repetition_penalty: 1,
  length_penalty: 1,
  no_repeat_ngram_size: 0,
  min_p: 0,
  early_stopping: false,
  return_full_text: false,
  use_cache: true,
}

/** An option that is misspelt, or that nothing here does, would give answers that were not asked for. */
function checkGeneration(given: GenerationKwargs, file: string): void {
  for (const [key, value] of Object.entries(given))
    if (value !== null && !(key in GENERATION) && WITHOUT_EFFECT[key] !== value)
      throw new ConfigError(
        `generation_kwargs.${key} in ${file}: expected one of ${Object.keys(GENERATION).join(', ')}, got an option that is not carried out here. Correct or remove it`,
      )
  for (const [key, [expected, isRight]] of Object.entries(GENERATION))
    if (given[key] !== undefined && given[key] !== null && !isRight(given[key]))
      throw new ConfigError(`generation_kwargs.${key} in ${file}: expected ${expected}, got ${brief(given[key])}`)
}

/** A value in a few characters, for messages. */
export function brief(value: unknown): string {
  const text = typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? 'nothing')
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
