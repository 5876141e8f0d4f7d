// Asks a model about tasks: all requests of all tasks together, each once, and then the metrics of every document.

import { UsageError } from '../errors.ts'
import { Count, type Watch } from '../work.ts'
import { AnswerStore, requestKey } from './answer-store.ts'
import { makeFilter } from './filters.ts'
import type { Answer, EvalModel } from './model.ts'
import { goldPlaces, metricsOf, processResults } from './process-results.ts'
import { FewshotSampler, type PromptOptions } from './prompt.ts'
import { type Asked, type EvalRequest, requestsOf } from './requests.ts'
import { argumentsOf, responseOf, type Sample } from './samples.ts'
import type { Task } from './task.ts'
import type { AnnotateOptions, Annotations, MetricConfig } from './task-config.ts'

/** How tasks are asked. */
export interface EvaluateOptions extends Watch {
  /** The first documents of each task only: a number, or a share below 1. */
  limit?: number | undefined
  /** Part `index` of `count`: documents index, index + count, … Parts of one evaluation ask what the whole asks. */
  shard?: { index: number; count: number } | undefined
  /** Of few-shot examples and of what is drawn; default 1234. */
  seed?: number | undefined
  /** Puts questions as the turns of a chat. */
  applyChatTemplate?: boolean | undefined
  /** In a chat, few-shot examples are turns of their own, not one turn together with the question; default true, as in lm-eval. */
  fewshotAsMultiturn?: boolean | undefined
  systemInstruction?: string | undefined
  /** Answers that are known already, and where new ones are kept. */
  answers?: AnswerStore | undefined
}

/** A task with its documents as they were answered; with several filters, a document has a row for each. */
export interface TaskRun {
  task: Task
  metrics: readonly MetricConfig[]
  samples: readonly Sample[]
  /** Documents that the task has, and that were asked about. */
  original: number
  effective: number
}

/**
 * Evaluates; results are in the order of the tasks.
 *
 * @example
 * const [run] = await evaluate(lmModel(await loadLm('models/tiny')), [await loadTask(config)])
 */
export async function evaluate(
  model: EvalModel,
  tasks: readonly Task[],
  options: EvaluateOptions = {},
): Promise<TaskRun[]> {
  const { seed = 1234, answers = new AnswerStore(), signal } = options
  const prompting = promptingOf(model, options)
  const plans = tasks.map((task) => {
    const metrics = metricsOf(task)
    for (const config of task.config.filter_list ?? []) makeFilter(config, task.name, task.outputType)
    const asked = askedOf(task, seed, prompting, options)
    for (const { doc, id } of asked) checkGold(task, doc, id)
    return { task, metrics, asked }
  })
  const keyOf = (request: EvalRequest): string => requestKey(model.identity, request, seed)
  const keys = new Map<EvalRequest, string>()
  const open = new Map<string, EvalRequest>()
  for (const { asked } of plans)
    for (const { requests } of asked)
      for (const request of requests.flat()) {
        const key = keys.get(request) ?? keyOf(request)
        keys.set(request, key)
        if (answers.get(key) === undefined) open.set(key, request)
      }
  const known = new Set(keys.values()).size - open.size
  if (known > 0 && answers.kept > 0)
    options.tell?.({
      type: 'notice',
      message: `${known} of ${known + open.size} answers are known from before and not asked again`,
    })
  const openKeys = [...open.keys()]
  const count = new Count(options, { label: 'evaluating', unit: 'requests', total: openKeys.length })
  try {
    await model.answer([...open.values()], {
      take: (index, answer) => {
        answers.put(openKeys[index]!, answer)
        count.add()
      },
      seed,
      signal,
    })
  } finally {
    answers.flush()
  }
  const answerTo = (request: EvalRequest): Answer => answers.get(keys.get(request)!)!
  const runs: TaskRun[] = []
  for (const { task, metrics, asked } of plans) {
    const annotations = await annotationsOf(task, asked, answerTo, { encode: model.encode, tell: options.tell, signal })
    const samples = samplesOf(task, metrics, asked, answerTo, annotations)
    runs.push({ task, metrics, samples, original: task.docs.length, effective: asked.length })
  }
  return runs
}

/** What the task has others say of the answers, by document; without those that have none. */
async function annotationsOf(
  task: Task,
  asked: readonly Asked[],
  answerTo: (request: EvalRequest) => Answer,
  options: AnnotateOptions,
): Promise<ReadonlyMap<number, Annotations>> {
  const { annotate } = task.config
  if (annotate === undefined) return new Map()
  const whole = asked.flatMap(({ id, doc, requests }) => {
    const answers = requests.flat().map(answerTo)
    return answers.some(({ failed }) => failed !== undefined)
      ? []
      : [{ id, answered: { doc, answers: answers.map(({ text = '' }) => text) } }]
  })
  const found = await annotate(
    whole.map(({ answered }) => answered),
    options,
  )
  return new Map(whole.map(({ id }, i) => [id, found[i]!]))
}

function promptingOf(model: EvalModel, options: EvaluateOptions): PromptOptions {
  const { applyChatTemplate = false, fewshotAsMultiturn = applyChatTemplate, systemInstruction } = options
  if (applyChatTemplate && model.renderChat === undefined)
    throw new UsageError('applyChatTemplate: expected a model with a chat template, got one without. Leave it out')
  if (fewshotAsMultiturn && !applyChatTemplate)
    throw new UsageError('fewshotAsMultiturn: expected `applyChatTemplate` with it, got running text')
  return { systemInstruction, fewshotAsMultiturn, renderChat: applyChatTemplate ? model.renderChat : undefined }
}

/** UsageError where `limit` leaves nothing to ask. */
export function checkLimit(limit: number | undefined): void {
  if (limit !== undefined && !(limit > 0)) throw new UsageError(`limit: expected a number above 0, got ${limit}`)
}

function askedOf(task: Task, seed: number, prompting: PromptOptions, { limit, shard }: EvaluateOptions): Asked[] {
  checkLimit(limit)
  const { length } = task.docs
  const end = limit === undefined ? length : Math.min(length, limit < 1 ? Math.ceil(length * limit) : Math.floor(limit))
  const isWanted = (id: number): boolean => shard === undefined || id % shard.count === shard.index
  return requestsOf(task, new FewshotSampler(task, seed), prompting, isWanted, end)
}

/** Wrong data is told before the model is asked, not after. */
function checkGold(task: Task, doc: Asked['doc'], id: number): void {
  if (task.outputType === 'multiple_choice' && task.config.process_results === undefined)
    goldPlaces(task, doc, id, task.choices(doc, id))
}

/** The rows of all documents, filter by filter. */
export function samplesOf(
  task: Task,
  metrics: readonly MetricConfig[],
  asked: readonly Asked[],
  answerTo: (request: EvalRequest) => Answer,
  annotated: ReadonlyMap<number, Annotations> = new Map(),
): Sample[] {
  const filters = task.config.filter_list ?? [undefined]
  return filters.flatMap((config) => {
    const filter = makeFilter(config, task.name, task.outputType)
    return asked.map(({ id, doc, requests }): Sample => {
      const answers = requests.map((repeated) => repeated.map(answerTo))
      const all = answers.flat()
      const resps = answers.map((repeated) => repeated.map(responseOf))
      const failed = all.find((answer) => answer.failed !== undefined)?.failed
      const filtered = failed === undefined ? resps.map((list) => filter(list, doc)) : []
      const count = (isOne: (answer: Answer) => boolean): number => all.filter(isOne).length
      const counts = answers.map(([answer]) => answer?.tokens)
      const tokens = counts.every((value) => value !== undefined) ? counts : undefined
      const empty = count(({ text }) => text !== undefined && text.trim() === '')
      const joined = count(({ isJoined }) => isJoined === true)
      const truncated = Math.max(0, ...all.map(({ truncated = 0 }) => truncated))
      const annotations = annotated.get(id)
      return {
        doc_id: id,
        doc,
        target: task.target(doc, id),
        arguments: requests.map(([request]) => argumentsOf(request!)),
        resps,
        filtered_resps: filtered,
        filter: config?.name ?? 'none',
        ...(tokens !== undefined && { tokens }),
        ...(annotations !== undefined && { annotations }),
        scores: failed === undefined ? processResults(task, metrics, doc, id, filtered, tokens, annotations) : {},
        ...(failed !== undefined && { failed }),
        ...(empty > 0 && { empty }),
        ...(joined > 0 && { joined }),
        ...(truncated > 0 && { truncated }),
      }
    })
  })
}
