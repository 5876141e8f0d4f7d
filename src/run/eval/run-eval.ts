// An evaluation as a run: a model, tasks, results on disk in lm-evaluation-harness's layout, and a page. Stopped, it goes on from the
// answers that it has.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { listFiles } from '../../data/read/files.ts'
import { UsageError } from '../../errors.ts'
import { AnswerStore } from '../../eval/answer-store.ts'
import { compareResults, comparisonLine } from '../../eval/compare.ts'
import { type Contamination, contamination } from '../../eval/contamination.ts'
import { euroeval } from '../../eval/euroeval.ts'
import { checkLimit, type EvaluateOptions, evaluate, type TaskRun } from '../../eval/evaluate.ts'
import { findTasks } from '../../eval/find-tasks.ts'
import type { EvalModel } from '../../eval/model.ts'
import { readResults, sanitizedName, writeResults } from '../../eval/result-files.ts'
import { type EvalReport, resultsOf, taskHash } from '../../eval/results.ts'
import { answerNotices, resultsTable } from '../../eval/results-table.ts'
import type { Sample } from '../../eval/samples.ts'
import { loadTask } from '../../eval/task.ts'
import type { SuiteOptions } from '../../eval/tasks/suite-options.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { hashText } from '../../files/hash.ts'
import { counted } from '../../report/amounts.ts'
import { eventsOf, type Tell, type WorkEvent } from '../../work.ts'
import type { LoadLmOptions } from '../load-lm.ts'
import { resolveData, resolveDataFile } from '../resolve-data.ts'
import { cardSection } from './card-section.ts'
import { evalPage } from './eval-page.ts'
import { type JudgeOptions, openJudges } from './open-judges.ts'
import { openEvalModel } from './open-model.ts'
import { styleLines, styleOf, styleSection } from './style-section.ts'

/** What is evaluated, on what, and where the results go. */
export interface RunEvalOptions extends LoadLmOptions, JudgeOptions {
  /** A model directory, a GGUF file, an adapter, a name on the hub, or the address of a server. */
  model: string
  /** Names of built-in tasks, and task files (.yaml, .ts, .js). */
  tasks: readonly string[]
  /** Files of data sets that are not files of the tasks themselves. */
  data?: string | undefined
  /** Few-shot examples, in place of what the tasks say (where they say 0, none). */
  numFewshot?: number | undefined
  limit?: number | undefined
  shard?: { index: number; count: number } | undefined
  seed?: number | undefined
  applyChatTemplate?: boolean | undefined
  fewshotAsMultiturn?: boolean | undefined
  systemInstruction?: string | undefined
  /** Draws for standard errors where they are drawn; default 100,000, 0 for none at all. */
  bootstrap?: number | undefined
  /** EuroEval's method: ten rounds over drawn documents, with the interval 1.96 · SE. */
  euroeval?: boolean | undefined
  /** Where results, samples, answers and the page go; without it nothing is written. */
  outputPath?: string | undefined
  /** Writes the samples; default true. */
  logSamples?: boolean | undefined
  /** Training texts that documents may have been in. */
  trainingText?: readonly string[] | undefined
  /** The field of their rows that holds the text; default `text`. */
  trainingTextColumn?: string | undefined
  /** Results of an earlier evaluation to compare with. */
  baseline?: string | undefined
}

/**
 * Evaluates.
 *
 * @example
 * const { results } = await resultOf(runEval({ model: 'models/tiny', tasks: ['minimal_pairs'] }))
 */
export function runEval(
  options: RunEvalOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, EvalReport> {
  return eventsOf((watch) => run(options, watch), { signal })
}

async function run(options: RunEvalOptions, watch: { signal: AbortSignal; tell: Tell }): Promise<EvalReport> {
  if (options.tasks.length === 0) throw new UsageError('tasks: expected at least one task, got none')
  checkLimit(options.limit)
  const { device, dtype, batchSize } = options
  const { judges, free } = await openJudges(options, given({ device, dtype, batchSize }), watch)
  try {
    return await runWith(judges, options, watch)
  } finally {
    free()
  }
}

async function runWith(
  judges: Omit<SuiteOptions, 'data' | 'notice'>,
  options: RunEvalOptions,
  watch: { signal: AbortSignal; tell: Tell },
): Promise<EvalReport> {
  const { tell } = watch
  const notice = (message: string): void => tell({ type: 'notice', message })
  const data = options.data && (await resolveDataFile(options.data, watch))
  const trainingText = options.trainingText && (await resolveData(options.trainingText, watch))
  if (trainingText) listFiles(trainingText) // what is not there is said before an hour of scoring
  const baseline = options.baseline === undefined ? undefined : readResults(options.baseline)
  const { tasks: configs, groups } = await findTasks(options.tasks, { ...judges, data, notice, turns: options.turns })
  const { numFewshot } = options
  const tasks = []
  for (const config of configs) tasks.push(await loadTask(config, { data, numFewshot, notice }))
  const fixed = numFewshot ? configs.filter(({ num_fewshot }) => num_fewshot === 0).map(({ task }) => task) : []
  if (fixed.length > 0)
    notice(
      `${fixed.slice(0, 3).join(', ')}${fixed.length > 3 ? ` and ${fixed.length - 3} more` : ''}: num_fewshot is 0 in the task, which holds; ${numFewshot} was asked for`,
    )
  const documents = tasks.reduce((sum, { docs }) => sum + docs.length, 0)
  tell({
    type: 'started',
    work: 'eval',
    message: `${counted(tasks.length, 'task')}, ${counted(documents, 'document')}`,
  })
  const started = performance.now()
  const date = new Date()
  const { model, free } = await openEvalModel(options.model, { ...loading(options), tell: notice }, watch)
  try {
    const folder = options.outputPath === undefined ? undefined : join(options.outputPath, sanitizedName(model.name))
    if (folder !== undefined) mkdirSync(folder, { recursive: true })
    const answers = new AnswerStore(folder === undefined ? undefined : join(folder, 'answers.jsonl'))
    const chats = configs.filter(({ metadata }) => metadata?.chat === true).map(({ task }) => task)
    if (chats.length > 0 && model.renderChat !== undefined && !options.applyChatTemplate)
      notice(
        `${chats.join(', ')}: the model has a chat template and is asked in running text. Apply the template to ask as published`,
      )
    const asking: EvaluateOptions = { ...asked(options), ...watch, answers }
    const runs = await evaluate(model, tasks, asking)
    const results = resultsOf(runs, groups, options.bootstrap ?? 100_000)
    const rounds = options.euroeval ? { euroeval: await euroeval(model, tasks, asking) } : {}
    const textKey = options.trainingTextColumn
    const overlap = trainingText?.length
      ? { contamination: await contamination(runs, trainingText, watch, { textKey }) }
      : {}
    const style = await styleOf(runs, data, baseline)
    const report: EvalReport = {
      ...results,
      ...rounds,
      ...overlap,
      ...(style && { style }),
      ...facts(options, model, runs, date, started),
    }
    const samples = new Map(runs.map(({ task, samples }): [string, readonly Sample[]] => [task.name, samples]))
    const comparison =
      baseline &&
      compareResults(baseline, {
        path: '',
        results: report,
        samples: new Map(Array.from(samples, ([name, list]) => [name, [...list]])),
      })
    for (const message of answerNotices(results.answers)) notice(message)
    if (folder !== undefined) {
      const path = writeResults(folder, date, report, (options.logSamples ?? true) ? samples : undefined)
      tell({ type: 'saved', what: 'results', path })
      const page = join(folder, 'report.html')
      writeFileAtomic(page, evalPage(report, runs, comparison, style && [styleSection(style)]))
      tell({ type: 'saved', what: 'report', path: page })
      const section = cardSection(report)
      if (section !== undefined) {
        const card = join(folder, 'card.md')
        writeFileAtomic(card, section)
        tell({ type: 'saved', what: 'card section', path: card })
      }
    }
    const lines = [
      ...resultsTable(results),
      ...(comparison === undefined ? [] : ['', ...comparison.map(comparisonLine)]),
      ...styleLines(style),
      ...euroevalLines(rounds.euroeval),
      ...contaminationLines(overlap.contamination),
    ]
    tell({ type: 'result', result: report, lines })
    return report
  } finally {
    free()
  }
}

function euroevalLines(
  rounds: Readonly<Record<string, Readonly<Record<string, { mean: number; interval: number }>>>> | undefined,
): string[] {
  return Object.entries(rounds ?? {}).flatMap(([task, metrics]) =>
    Object.entries(metrics).map(
      ([metric, { mean, interval }]) =>
        `${task} ${metric}: ${mean.toFixed(4)} ± ${interval.toFixed(4)} over ten rounds`,
    ),
  )
}

/** For people: of each task, how much of it is in the training text, and its metrics without that. */
export function contaminationLines(found: Readonly<Record<string, Contamination>> | undefined): string[] {
  return Object.entries(found ?? {}).map(([task, { documents, found: seen, short, clean }]) => {
    const numbers = Object.entries(clean).filter(([key]) => key.includes(',') && !key.includes('_stderr,'))
    const without = numbers.map(([key, value]) => `${key.split(',')[0]} ${Number(value).toFixed(4)}`).join(', ')
    const untold = short > 0 ? `, ${short} are too short to tell` : ''
    return `${task}: ${seen} of ${documents} documents are in the training text${untold}${seen > 0 && without !== '' ? `; without them ${without}` : ''}`
  })
}

function loading({ adapter, device, dtype, batchSize, cacheTokens }: RunEvalOptions): LoadLmOptions {
  return given({ adapter, device, dtype, batchSize, cacheTokens })
}

/** Without what was left out. */
function given(options: { [K in keyof LoadLmOptions]: LoadLmOptions[K] | undefined }): LoadLmOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function asked({
  limit,
  shard,
  seed,
  applyChatTemplate,
  fewshotAsMultiturn,
  systemInstruction,
}: RunEvalOptions): EvaluateOptions {
  return { limit, shard, seed, applyChatTemplate, fewshotAsMultiturn, systemInstruction }
}

/** Who judged, by name. */
function judgeFacts({
  scorer,
  toxicLabels,
  identifier,
  englishWords,
  judge,
  encoder,
}: JudgeOptions): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries({ scorer, toxicLabels, identifier, englishWords, judge, encoder }).filter(
      ([, value]) => value !== undefined,
    ),
  )
}

/** lm-eval's further keys. */
function facts(
  options: RunEvalOptions,
  model: EvalModel,
  runs: readonly TaskRun[],
  date: Date,
  started: number,
): Record<string, unknown> {
  const {
    systemInstruction = null,
    applyChatTemplate = false,
    limit = null,
    seed = 1234,
    bootstrap = 100_000,
  } = options
  const { chat_template: template = null, model_sha: commit, peft_sha: adapter, ...more } = model.facts
  const shown = applyChatTemplate ? template : null
  return {
    config: {
      model: 'anneal',
      model_args: {
        pretrained: options.model,
        ...(options.adapter?.length && { peft: options.adapter }),
        dtype: options.dtype ?? 'auto',
      },
      ...judgeFacts(options),
      ...(commit !== undefined && { model_sha: commit }),
      ...(adapter !== undefined && { peft_sha: adapter }),
      batch_size: options.batchSize ?? null,
      device: options.device ?? 'auto',
      limit,
      bootstrap_iters: bootstrap,
      gen_kwargs: null,
      random_seed: 0,
      numpy_seed: 1234,
      torch_seed: 1234,
      fewshot_seed: seed,
      shard: options.shard ?? null,
    },
    git_hash: null,
    date: date.getTime() / 1000,
    ...more,
    model_name: model.name,
    model_name_sanitized: sanitizedName(model.name),
    system_instruction: systemInstruction,
    system_instruction_sha: systemInstruction === null ? null : hashText(systemInstruction),
    fewshot_as_multiturn: options.fewshotAsMultiturn ?? applyChatTemplate,
    chat_template: shown,
    chat_template_sha: typeof shown === 'string' ? hashText(shown) : null,
    task_hashes: Object.fromEntries(runs.map(({ task, samples }) => [task.name, taskHash(samples)])),
    total_evaluation_time_seconds: String((performance.now() - started) / 1000),
  }
}
