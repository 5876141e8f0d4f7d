// The metrics of one document from the answers to its requests, as lm-evaluation-harness counts them.

import { ConfigError, InputError } from '../errors.ts'
import { splitSpaces } from '../text/jinja/white-space.ts'
import type { MetricValue } from './aggregate.ts'
import { NO_ANSWER } from './metrics/classification.ts'
import { type ExactMatchOptions, exactMatch } from './metrics/exact-match.ts'
import { type RougeName, rouge } from './metrics/rouge.ts'
import { squadF1 } from './metrics/squad.ts'
import type { Target, Task } from './task.ts'
import { type Annotations, brief, type Doc, type MetricConfig, type OutputType } from './task-config.ts'

/** What each kind of task is measured by where it does not say. */
const DEFAULT_METRICS: Readonly<Record<OutputType, readonly string[]>> = {
  loglikelihood: ['perplexity', 'acc'],
  loglikelihood_rolling: ['word_perplexity', 'byte_perplexity', 'bits_per_byte'],
  multiple_choice: ['acc', 'acc_norm'],
  generate_until: ['exact_match'],
}
const POSSIBLE: Readonly<Record<OutputType, ReadonlySet<string>>> = {
  loglikelihood: new Set(['perplexity', 'acc']),
  loglikelihood_rolling: new Set(['word_perplexity', 'byte_perplexity', 'bits_per_byte']),
  multiple_choice: new Set(
    'acc acc_norm acc_bytes acc_mutual_info exact_match brier_score likelihood f1 mcc macro_f1 micro_f1'.split(' '),
  ),
  generate_until: new Set(
    'exact_match token_f1 rouge1 rouge2 rougeL bleu chrf chrf++ mcc macro_f1 micro_f1'.split(' '),
  ),
}

/** The metrics that a task asks for. ConfigError where its kind has no such metric. */
export function metricsOf(task: Task): readonly MetricConfig[] {
  const { outputType, config } = task
  const metrics = config.metric_list ?? DEFAULT_METRICS[outputType].map((metric) => ({ metric }))
  if (config.process_results !== undefined) return metrics
  for (const entry of metrics) {
    const name: unknown = entry?.metric
    if (typeof name !== 'string' || !POSSIBLE[outputType].has(name))
      throw new ConfigError(
        `metric_list of task ${task.name}: expected metrics of ${outputType} tasks (${[...POSSIBLE[outputType]].join(', ')}), got ${brief(name)}`,
      )
  }
  return metrics
}

/** What a document is worth. `results` are filtered answers, one for each request; those of choices are [sum, isGreedy]. */
export function processResults(
  task: Task,
  metrics: readonly MetricConfig[],
  doc: Doc,
  id: number,
  results: readonly unknown[],
  tokens?: readonly number[],
  annotations?: Annotations,
): Record<string, MetricValue> {
  const { process_results: own } = task.config
  if (own !== undefined) {
    try {
      return { ...own(doc, results, tokens, annotations) } as Record<string, MetricValue>
    } catch (cause) {
      throw new InputError(
        `task ${task.name}, document ${id}, process_results: the task's function failed: ${(cause as Error).message}`,
        { cause },
      )
    }
  }
  const all =
    task.outputType === 'multiple_choice'
      ? choiceMetrics(task, doc, id, results as readonly (readonly [number, boolean])[])
      : task.outputType === 'generate_until'
        ? answerMetrics(task, metrics, doc, id, results[0])
        : likelihoodMetrics(task, doc, id, results[0])
  return Object.fromEntries(metrics.map(({ metric }) => [metric, all[metric]!()]))
}

type Metrics = Readonly<Record<string, () => MetricValue>>

function likelihoodMetrics(task: Task, doc: Doc, id: number, result: unknown): Metrics {
  if (task.outputType === 'loglikelihood') {
    const [sum, isGreedy] = result as readonly [number, boolean]
    return { perplexity: () => sum, acc: () => Number(isGreedy) }
  }
  const text = String(task.target(doc, id))
  const perByte = (): MetricValue => [result, Buffer.byteLength(text)]
  return {
    word_perplexity: () => [result, splitSpaces(text).length],
    byte_perplexity: perByte,
    bits_per_byte: perByte,
  }
}

function choiceMetrics(task: Task, doc: Doc, id: number, results: readonly (readonly [number, boolean])[]): Metrics {
  const choices = task.choices(doc, id)
  const sums = results.slice(0, choices.length).map(([sum]) => sum)
  const golds = goldPlaces(task, doc, id, choices)
  const isRight = (place: number): number => Number(golds.includes(place))
  const gold = golds[0]!
  const best = argMax(sums)
  const labels = (): MetricValue => [gold, best]
  return {
    acc: () => isRight(best),
    acc_norm: () => isRight(argMax(sums.map((sum, i) => sum / Array.from(choices[i]!).length))),
    acc_bytes: () => isRight(argMax(sums.map((sum, i) => sum / Buffer.byteLength(choices[i]!)))),
    acc_mutual_info: () => isRight(argMax(sums.map((sum, i) => sum - results[choices.length + i]![0]))),
    exact_match: () => Number(golds.some((place) => results[place]![1])),
    brier_score: () => [gold, softmax(sums)],
    likelihood: () => sums[gold]!,
    f1: labels,
    mcc: labels,
    macro_f1: labels,
    micro_f1: labels,
  }
}

/** Which choices are right. InputError where the data names none of them. */
export function goldPlaces(task: Task, doc: Doc, id: number, choices: readonly string[]): number[] {
  const given: Target = task.hasManyInputs ? task.text(doc, id) : task.target(doc, id)
  const list = (Array.isArray(given) ? given : [given]) as readonly (string | number)[]
  const places = list.map((gold) => (typeof gold === 'number' ? gold : choices.indexOf(gold)))
  if (places.length > 0 && places.every((place) => Number.isInteger(place) && place >= 0 && place < choices.length))
    return places
  throw new InputError(
    `task ${task.name}, document ${id}, ${task.hasManyInputs ? 'doc_to_text' : 'doc_to_target'}: expected one of the ${choices.length} choices (0 to ${choices.length - 1}, or its text), got ${brief(given)}. Correct the data`,
  )
}

function answerMetrics(task: Task, metrics: readonly MetricConfig[], doc: Doc, id: number, result: unknown): Metrics {
  const target = task.target(doc, id)
  const choices = task.config.doc_to_choice === undefined ? undefined : task.choices(doc, id)
  const golds = (Array.isArray(target) ? (target as readonly (string | number)[]) : [target as string | number]).map(
    (gold) => (choices !== undefined && typeof gold === 'number' ? (choices[gold] ?? String(gold)) : String(gold)),
  )
  // Several answers where a filter keeps them: any of them may be right.
  const answers = (Array.isArray(result) ? result : [result]).map(String)
  const best = (score: (gold: string, answer: string) => number): number =>
    Math.max(...golds.flatMap((gold) => answers.map((answer) => score(gold, answer))))
  const options = (metric: string): Readonly<Record<string, unknown>> =>
    metrics.find((entry) => entry.metric === metric) ?? {}
  const labels = (metric: string) => (): MetricValue => {
    const { labels: listed, ...matching } = options(metric) as { labels?: readonly string[] } & ExactMatchOptions
    const known = listed ?? choices
    const given = answers[0]!.trim()
    const gold = golds[0]!
    if (known === undefined) return [gold, given === '' ? NO_ANSWER : given]
    return [gold, known.find((label) => exactMatch(label, given, matching) === 1) ?? NO_ANSWER]
  }
  const overlap = (name: RougeName) => () => best((gold, answer) => rouge(name, gold, answer))
  const corpus = (): MetricValue => [golds, answers[0]!]
  return {
    exact_match: () => best((gold, answer) => exactMatch(gold, answer, options('exact_match') as ExactMatchOptions)),
    token_f1: () => best(squadF1),
    rouge1: overlap('rouge1'),
    rouge2: overlap('rouge2'),
    rougeL: overlap('rougeL'),
    bleu: corpus,
    chrf: corpus,
    'chrf++': corpus,
    mcc: labels('mcc'),
    macro_f1: labels('macro_f1'),
    micro_f1: labels('micro_f1'),
  }
}

/** The place of the largest; of equals the first, as NumPy's. */
export function argMax(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0)
}

function softmax(values: readonly number[]): number[] {
  const most = Math.max(...values)
  const powers = values.map((value) => Math.exp(value - most))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map((power) => power / sum)
}
