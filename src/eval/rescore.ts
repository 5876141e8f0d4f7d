// Stored answers scored again: with other metrics, filters or a corrected task, and without the model. The parts of an evaluation that was
// made in shards become one.

import { InputError } from '../errors.ts'
import type { TaskRun } from './evaluate.ts'
import { makeFilter } from './filters.ts'
import { metricsOf, processResults } from './process-results.ts'
import type { StoredResults } from './result-files.ts'
import { numberOf, type Sample } from './samples.ts'
import { Task } from './task.ts'
import { checkTaskConfig, type TaskConfig } from './task-config.ts'

/** Scores the samples of all stored results again, by the tasks that are given or, for others, by those that were stored with them. */
export function rescore(stored: readonly StoredResults[], tasks: readonly TaskConfig[] = []): TaskRun[] {
  const names = new Set(stored.flatMap(({ samples }) => [...samples.keys()]))
  const unknown = tasks.find(({ task }) => !names.has(task))
  if (unknown !== undefined)
    throw new InputError(
      `task ${unknown.task}: expected samples of it, got those of ${[...names].join(', ') || 'none'}`,
    )
  if (names.size === 0)
    throw new InputError(
      `${stored.map(({ path }) => path).join(', ')}: expected samples_*.jsonl beside it, got none. Evaluate with samples`,
    )
  return [...names].map((name) => {
    const samples = joined(stored.flatMap((each) => each.samples.get(name) ?? []))
    const config = tasks.find(({ task }) => task === name) ?? storedConfig(stored, name)
    return rescoreTask(config, samples, originalOf(stored, name))
  })
}

/** Every document once; of several filters the first one's row has all answers. */
function joined(samples: readonly Sample[]): Sample[] {
  const byId = new Map<number, Sample>()
  for (const sample of samples) {
    const known = byId.get(sample.doc_id)
    if (known === undefined || known.failed !== undefined) byId.set(sample.doc_id, sample)
  }
  return [...byId.values()].sort((a, b) => a.doc_id - b.doc_id)
}

function originalOf(stored: readonly StoredResults[], name: string): number | undefined {
  const counts = stored.map(
    ({ results }) => (results['n-samples'] as Record<string, { original: number }> | undefined)?.[name]?.original,
  )
  return counts.find((count) => count !== undefined)
}

function storedConfig(stored: readonly StoredResults[], name: string): TaskConfig {
  for (const { path, results } of stored) {
    const config = (results.configs as Record<string, Record<string, unknown>> | undefined)?.[name]
    if (config === undefined) continue
    const used = ['doc_to_text', 'doc_to_choice', 'doc_to_target', 'process_results'].find((key) => isCode(config[key]))
    if (used !== undefined)
      throw new InputError(
        `configs.${name}.${used} in ${path}: expected a template, got a function's source. Give the task with --tasks`,
      )
    return checkTaskConfig(withoutData({ task: name, ...config }), path)
  }
  throw new InputError(
    `task ${name}: expected its configuration beside its samples, got none. Give the task with --tasks`,
  )
}

const isCode = (value: unknown): boolean =>
  typeof value === 'string' && /^(?:\(.*?\)\s*=>|\w+\s*=>|function\b|def )/.test(value)

/** Without what is done already, or is no longer known as keys. */
function withoutData({
  process_docs: _,
  custom_dataset: __,
  dataset_kwargs: ___,
  unsafe_code: ____,
  ...config
}: Record<string, unknown>): Record<string, unknown> {
  return config
}

function rescoreTask(given: TaskConfig, samples: readonly Sample[], original: number | undefined): TaskRun {
  const config = { ...given, test_split: 'test', num_fewshot: 0 } as TaskConfig
  const { process_docs: _, ...own } = config
  const task = new Task(own, { test: samples.map(({ doc }) => doc) })
  const metrics = metricsOf(task)
  const filters = config.filter_list ?? [undefined]
  const rows = filters.flatMap((filterConfig) => {
    const filter = makeFilter(filterConfig, task.name, task.outputType)
    return samples.map((sample): Sample => {
      const { doc, doc_id: id, failed } = sample
      const named = { ...sample, target: task.target(doc, id), filter: filterConfig?.name ?? 'none' }
      if (failed !== undefined) return { ...named, scores: {} }
      const answers =
        task.outputType === 'loglikelihood_rolling' ? sample.resps.map((list) => list.map(numberOf)) : sample.resps
      const filtered = answers.map((list) => filter(list, doc))
      return {
        ...named,
        filtered_resps: filtered,
        scores: processResults(task, metrics, doc, id, filtered, sample.tokens, sample.annotations),
      }
    })
  })
  return { task, metrics, samples: rows, original: original ?? samples.length, effective: samples.length }
}
