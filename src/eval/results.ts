// What an evaluation found, as lm-evaluation-harness 0.4.13 writes it to `results_*.json`, with what it does not tell: answers that are
// missing or empty, contexts that were cut, continuations that begin within a token.

import { hashText } from '../files/hash.ts'
import { aggregate, checkAggregation, METRICS, type MetricValue, standardError } from './aggregate.ts'
import type { TaskRun } from './evaluate.ts'
import { type Group, groupMetrics, type Metrics } from './groups.ts'
import { hashesOf, type Sample } from './samples.ts'
import type { MetricConfig, TaskConfig } from './task-config.ts'

/** What is to be known of the answers of a task, in documents. */
export interface AnswerCounts {
  /** Without an answer, and so without a score. */
  failed: number
  /** With an empty answer; it is scored as it stands. */
  empty: number
  /** Whose context was cut at its beginning because it is longer than the model's window. */
  truncated: number
  /** With a continuation whose first token belongs to the context. */
  joined: number
}

/** The part of `results_*.json` that comes from the tasks. */
export interface EvalResults {
  results: Record<string, Metrics>
  groups?: Record<string, Metrics>
  group_subtasks: Record<string, readonly string[]>
  configs: Record<string, unknown>
  versions: Record<string, unknown>
  'n-shot': Record<string, number>
  higher_is_better: Record<string, Record<string, boolean | null>>
  'n-samples': Record<string, { original: number; effective: number }>
  answers: Record<string, AnswerCounts>
}

/** What `results_*.json` holds: the results, and what is to be known of model, run and moment. */
export type EvalReport = EvalResults & Readonly<Record<string, unknown>>

/** Aggregates. `draws`: of the bootstrap, where there is one; 0 for no standard errors. */
export function resultsOf(runs: readonly TaskRun[], groups: readonly Group[], draws: number): EvalResults {
  const metrics = new Map<string, Metrics>()
  for (const run of runs) {
    const { task } = run
    metrics.set(task.name, {
      name: task.name,
      alias: task.config.task_alias ?? task.name,
      ...taskMetrics(task.name, run.metrics, run.samples, draws),
    })
  }
  const ofGroups = groups.map((group) => [group.config.group, groupMetrics(group, metrics)] as const)
  const shown = ofGroups.filter(([, found]) => Object.keys(found).length > 2)
  const by = <T>(value: (run: TaskRun) => T): Record<string, T> =>
    Object.fromEntries(runs.map((run) => [run.task.name, value(run)]))
  return {
    results: { ...Object.fromEntries(metrics), ...Object.fromEntries(ofGroups) },
    ...(shown.length > 0 && { groups: Object.fromEntries(shown) }),
    group_subtasks: Object.fromEntries(groups.map(({ config, children }) => [config.group, children])),
    configs: by(({ task }) => printedConfig(task.config, task.numFewshot)),
    versions: {
      ...by(({ task }) => task.config.metadata?.version ?? 'Yaml'),
      ...Object.fromEntries(groups.map(({ config }) => [config.group, String(config.metadata?.version ?? 'N/A')])),
    },
    'n-shot': by(({ task }) => task.numFewshot),
    higher_is_better: by(({ metrics: used }) =>
      Object.fromEntries(used.map((metric) => [metric.metric, isHigherBetter(metric)])),
    ),
    'n-samples': by(({ original, effective }) => ({ original, effective })),
    answers: by(({ samples }) => countAnswers(samples)),
  }
}

/** `"acc,none"` and its error for each metric and filter. Documents without an answer are in none. */
export function taskMetrics(
  task: string,
  used: readonly MetricConfig[],
  samples: readonly Sample[],
  draws: number,
): { sample_len: number; [key: string]: number | string } {
  const found: { sample_len: number; [key: string]: number | string } = { sample_len: 0 }
  for (const filter of new Set(samples.map((sample) => sample.filter))) {
    const scored = samples.filter((sample) => sample.filter === filter && sample.failed === undefined)
    for (const name of new Set(scored.flatMap(({ scores }) => Object.keys(scores)))) {
      const items = scored.map(({ scores }) => scores[name]).filter((item): item is MetricValue => item !== undefined)
      const how = aggregationOf(name, used, task)
      found[`${name},${filter}`] = aggregate(how, items)
      found[`${name}_stderr,${filter}`] = standardError(how, items, draws)
      found.sample_len = Math.max(found.sample_len, items.length)
    }
  }
  return found
}

/** How a metric of a task is aggregated. */
export function aggregationOf(name: string, used: readonly MetricConfig[], task: string): string {
  const given = used.find(({ metric }) => metric === name)?.aggregation
  return checkAggregation(given ?? METRICS[name]?.aggregation ?? 'mean', task)
}

/** Null where nobody says. */
export function isHigherBetter({ metric, higher_is_better: given }: MetricConfig): boolean | null {
  return given ?? METRICS[metric]?.higherIsBetter ?? null
}

/** Counts documents, not rows of filters. */
export function countAnswers(samples: readonly Sample[]): AnswerCounts {
  const first = samples.filter(({ filter }) => filter === samples[0]?.filter)
  const count = (isOne: (sample: Sample) => boolean): number => first.filter(isOne).length
  return {
    failed: count(({ failed }) => failed !== undefined),
    empty: count(({ empty = 0 }) => empty > 0),
    truncated: count(({ truncated = 0 }) => truncated > 0),
    joined: count(({ joined = 0 }) => joined > 0),
  }
}

/** One name for what a task asked: of all its documents, prompts and targets. */
export function taskHash(samples: readonly Sample[]): string {
  const parts = samples.map((sample) => {
    const { doc_hash, prompt_hash, target_hash } = hashesOf(sample)
    return doc_hash + prompt_hash + target_hash
  })
  return hashText(parts.join(''))
}

function printedConfig(config: TaskConfig, numFewshot: number): unknown {
  const defaults = {
    description: '',
    target_delimiter: ' ',
    fewshot_delimiter: '\n\n',
    output_type: 'generate_until',
    repeats: 1,
    should_decontaminate: false,
  }
  return JSON.parse(
    JSON.stringify({ ...defaults, ...config, num_fewshot: numFewshot }, (_, value: unknown) =>
      typeof value === 'function' ? String(value) : value,
    ),
  )
}
