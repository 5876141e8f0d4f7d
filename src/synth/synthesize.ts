// Runs a recipe over seeds: rows in the order of the seeds, whatever is made at the same time, and so that a run that was stopped anywhere
// goes on to the same files.

import { setMaxListeners } from 'node:events'
import { UsageError } from '../errors.ts'
import { takeOutputDirectory } from '../files/output-directory.ts'
import { checkOptionNames } from '../option-names.ts'
import { checkModel } from '../prompting/base/check-model.ts'
import type { Model } from '../prompting/base/model.ts'
import { eventsOf, type Tell, type WorkEvent } from '../work.ts'
import { BudgetSpent, keptModels, type Sampling } from './kept-model.ts'
import { Ledger, type Spent, type SynthesisBudget } from './ledger.ts'
import { isOfRequest, madeRow } from './make-row.ts'
import type { Recipe, RowTools } from './recipe.ts'
import { RowFiles, type Settled } from './row-files.ts'
import { checkSetup, hashOfSeeds } from './synthesis-setup.ts'

/** What is made, of what, by whom, and where it goes. */
export interface SynthesizeOptions<Seed = unknown, Row = unknown, Shared = undefined> extends SynthesisBudget {
  recipe: Recipe<Seed, Row, Shared>
  /** One row each, at most. JSON. */
  seeds: readonly Seed[]
  /** The teacher. */
  model: Model
  /** The folder: rows.jsonl, rejects.jsonl, calls.jsonl. A run that was stopped goes on in it. */
  out: string
  /** Of all draws. Default 0. */
  seed?: number
  /** Rows that are made at the same time; it changes nothing in them. Default 8. */
  concurrency?: number
  /** Times to try again what was refused, with the reason at hand. Default 2. */
  again?: number
  /** How the teacher answers where the recipe does not say. */
  sampling?: Sampling
  /** What decides answers besides the model's name and setup: the address of a service, a hash of weights. */
  version?: string
  /** Makes the rows of the first so many seeds only; the rest another time. Default: all. */
  limit?: number
  signal?: AbortSignal
}

/** What came of it. */
export interface SynthesisResult {
  out: string
  /** `budget`: it is spent, and rows are left to be made. */
  end: 'done' | 'budget'
  /** Which part of the budget, in words. */
  budget?: string
  seeds: number
  /** Of all runs in this folder. */
  rows: number
  /** Seeds of which nothing came. */
  rejected: number
  /** Tries that were refused. */
  refused: number
  spent: Spent
}

const OPTIONS: Readonly<Record<keyof SynthesizeOptions, true>> = {
  recipe: true,
  seeds: true,
  model: true,
  out: true,
  seed: true,
  concurrency: true,
  again: true,
  sampling: true,
  version: true,
  limit: true,
  signal: true,
  maxCost: true,
  maxTokens: true,
  maxCalls: true,
}

/**
 * Makes a row of each seed. Every call that is answered is kept: killed anywhere, the same call goes on and the files become the same, as
 * far as the teacher gives the same answer to a call that was lost. What a teacher fails at ends the run with what was made until then on
 * disk; what it says that is no good is tried again, and kept with its reason.
 *
 * @example
 * const { rows } = await resultOf(synthesize({ recipe, seeds, model, out: 'runs/rows', maxCost: 5 }))
 */
export async function* synthesize<Seed, Row, Shared = undefined>(
  options: SynthesizeOptions<Seed, Row, Shared>,
): AsyncGenerator<WorkEvent, SynthesisResult> {
  checkOptionNames('synthesize', options, OPTIONS)
  checkModel('synthesize', options.model)
  const { recipe, seeds, out, signal, concurrency = 8, again = 2, seed = 0, limit } = options
  checkWhole('concurrency', concurrency, 1)
  checkWhole('again', again, 0)
  checkWhole('seed', seed, 0)
  if (limit !== undefined) checkWhole('limit', limit, 1)
  if (!Array.isArray(seeds) || seeds.length === 0)
    throw new UsageError(`seeds: expected at least one, got ${Array.isArray(seeds) ? 'none' : typeof seeds}`)
  if (options.maxCost !== undefined && options.model.cost === undefined)
    throw new UsageError('maxCost: expected it with a model whose prices are known, got none. Give `cost`')
  yield { type: 'started', work: 'synth', message: `${recipe.name}: ${seeds.length} seeds to ${out}` }
  const release = takeOutputDirectory(out, 'out')
  try {
    const result = yield* eventsOf(({ tell, signal }) => run(options, tell, signal), { signal })
    yield { type: 'result', result, lines: linesOf(result) }
    return result
  } finally {
    release()
  }
}

async function run<Seed, Row, Shared>(
  options: SynthesizeOptions<Seed, Row, Shared>,
  tell: Tell,
  signal: AbortSignal,
): Promise<SynthesisResult> {
  const { recipe, seeds, model, out, seed = 0, concurrency = 8, again = 2, sampling = {}, version = '' } = options
  const { maxCost, maxTokens, maxCalls } = options
  checkSetup(
    out,
    {
      recipe: { name: recipe.name, setup: recipe.setup },
      teacher: { name: model.name, setup: model.setup, version, sampling, again },
      seed,
      seeds: { count: seeds.length, hash: hashOfSeeds(seeds) },
    },
    seeds,
  )
  const budget = {
    ...(maxCost !== undefined && { maxCost }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(maxCalls !== undefined && { maxCalls }),
  }
  const ledger = new Ledger(out, budget, (fault) => tell({ type: 'notice', message: fault }))
  const files = new RowFiles(out)
  const end = Math.min(options.limit ?? seeds.length, seeds.length)
  if (files.settled > 0) tell({ type: 'notice', message: `${files.settled} of ${end} seeds are done; going on` })
  const progress = (): void => {
    const { promptTokens, completionTokens, cost } = ledger.spent
    const details = {
      refused: `${files.refused}`,
      tokens: `${promptTokens + completionTokens}`,
      ...(model.cost !== undefined && { cost: cost.toFixed(4) }),
    }
    tell({ type: 'progress', label: 'rows', done: Math.min(files.settled, end), total: end, unit: 'rows', details })
  }
  const failed = new AbortController()
  const any = AbortSignal.any([signal, failed.signal])
  setMaxListeners(0, any) // one for each row that is being made
  let spent: string | undefined
  const models = keptModels({ model, ledger, seed, sampling, version, signal: any, onCall: progress })
  /** What came of a seed; undefined where the budget ended first. */
  const made = async (
    row: number | null,
    make: (tools: RowTools) => Promise<unknown>,
  ): Promise<Settled | undefined> => {
    try {
      const work = madeRow(
        { row, model: models(row), seed, again, signal: any },
        make,
        (error) =>
          // A service that has answered nothing yet is asked in a wrong way; later it is this one request.
          isOfRequest(error) && ledger.spent.calls > 0,
      )
      return await unlessAborted(work, any)
    } catch (error) {
      if (!(error instanceof BudgetSpent)) throw error
      spent ??= error.message
      return undefined
    }
  }
  let shared: Shared | undefined
  const prepare = async (): Promise<boolean> => {
    if (recipe.prepare === undefined) return true
    const settled = await made(null, async (tools) => {
      shared = await recipe.prepare!(tools)
      return null
    })
    if (settled === undefined) return false
    const last = settled.rejects.find(({ isLast }) => isLast)
    if (files.settled === 0) files.add({ rejects: settled.rejects }, false)
    if (last !== undefined) throw new UsageError(`${recipe.name}: expected what all rows need, got ${last.reason}`)
    return true
  }
  const waiting = new Map<number, Settled>()
  let next = files.settled
  const work = async (): Promise<void> => {
    while (next < end && spent === undefined) {
      const row = next++
      const settled = await made(row, (tools) => recipe.make(seeds[row]!, tools, shared as Shared))
      if (settled !== undefined) waiting.set(row, settled)
      for (let found = waiting.get(files.settled); found !== undefined; found = waiting.get(files.settled)) {
        waiting.delete(files.settled)
        files.add(found)
      }
      progress()
    }
  }
  const guarded = async (): Promise<void> => {
    try {
      await work()
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }
  progress()
  try {
    if (files.settled < end && (await prepare()))
      await Promise.all(Array.from({ length: Math.min(concurrency, end - next) }, guarded))
  } catch (error) {
    const kept = `${files.settled} of ${end} seeds are done and all calls kept; the same command goes on from there`
    if (!signal.aborted) tell({ type: 'notice', message: kept })
    throw error
  }
  return {
    out,
    end: spent === undefined ? 'done' : 'budget',
    ...(spent !== undefined && { budget: spent }),
    seeds: seeds.length,
    rows: files.rows,
    rejected: files.settled - files.rows,
    refused: files.refused,
    spent: { ...ledger.spent },
  }
}

/** What comes of the work, or the reason why nobody waits for it any more: a recipe or a teacher that hangs holds up no signal. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let give: () => void = () => undefined
  const given = new Promise<never>((_, reject) => {
    give = () => reject(signal.reason)
  })
  signal.addEventListener('abort', give, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([work, given])
  } finally {
    signal.removeEventListener('abort', give)
    work.catch(() => undefined)
  }
}

function linesOf({ rows, seeds, rejected, refused, spent, out, budget }: SynthesisResult): string[] {
  const tokens = spent.promptTokens + spent.completionTokens
  const cost = spent.cost > 0 ? `, cost ${spent.cost.toFixed(4)}` : ''
  return [
    `${rows} rows of ${seeds} seeds, ${rejected} without one, ${refused} tries refused; ${spent.calls} calls, ${tokens} tokens${cost}; ${out}`,
    ...(budget === undefined ? [] : [`budget spent: ${budget}. With a larger one the same command goes on from there`]),
  ]
}

function checkWhole(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return
  throw new UsageError(`${name}: expected a whole number of at least ${least}, got ${value}`)
}
