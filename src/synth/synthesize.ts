// Runs a recipe over seeds: rows in the order of the seeds, whatever is made at the same time, and so that a run that was stopped anywhere
// goes on to the same files.

import { join } from 'node:path'
import type { PiiKind } from '../data/curate/pii.ts'
import { AnnealError, InputError, UsageError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { takeOutputDirectory } from '../files/output-directory.ts'
import { checkOptionNames } from '../option-names.ts'
import { checkModel } from '../prompting/base/check-model.ts'
import type { Model } from '../prompting/base/model.ts'
import { counted } from '../report/amounts.ts'
import { eventsOf, type Tell, type WorkEvent } from '../work.ts'
import { readBatchResults, writeBatch } from './batch-file.ts'
import type { PendingCall, Sampling } from './kept-model.ts'
import { Ledger, type Spent, type SynthesisBudget } from './ledger.ts'
import { checkMade, type SeedFile, writeLineage } from './lineage.ts'
import { makeRows } from './make-rows.ts'
import type { Recipe } from './recipe.ts'
import { RowFiles, readMadeRows, readRejects } from './row-files.ts'
import { checkKinds, placeholdersIn, scrubbed } from './scrub.ts'
import { type ComparedTexts, synthesisPage, synthesisReport } from './synthesis-report.ts'
import { checkSetup, hashOfSeeds, type SynthesisSetup } from './synthesis-setup.ts'
import { textsIn } from './texts-in.ts'

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
  /** What is replaced in the texts of seeds before they are used, and of rows before they are written. Default: nothing. */
  scrub?: { seeds?: readonly PiiKind[]; rows?: readonly PiiKind[] }
  /** Asks nothing: calls that nobody has answered go into a file in the form of OpenAI's batches, until the next run. Default false. */
  batch?: boolean
  /** Files of answers to such a file. */
  results?: readonly string[]
  /** Texts that rows must not be copies of, such as those of a test; seeds are always looked at. */
  against?: readonly ComparedTexts[]
  /** Under which licence the teacher's words are, for the card. Default `unknown`. */
  licence?: string
  /** Where the seeds came from, for the card. */
  seedFiles?: readonly SeedFile[]
  signal?: AbortSignal
}

/** What came of it. */
export interface SynthesisResult {
  out: string
  /** `budget`: it is spent, and rows are left to be made. `batch`: calls wait for answers from a file. */
  end: 'done' | 'budget' | 'batch'
  /** Which part of the budget, in words. */
  budget?: string
  /** The file of calls, and how many there are. */
  batch?: string
  waiting?: number
  seeds: number
  /** Of all runs in this folder. */
  rows: number
  /** Seeds of which nothing came. */
  rejected: number
  /** Tries that were refused. */
  refused: number
  /** Why, the most frequent reasons first, as in the report. */
  reasons: readonly { readonly reason: string; readonly count: number }[]
  /** Rows that are nearly an earlier one. */
  nearWithin: number
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
  scrub: true,
  batch: true,
  results: true,
  against: true,
  licence: true,
  seedFiles: true,
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
  checkKinds('scrub.seeds', options.scrub?.seeds ?? [])
  checkKinds('scrub.rows', options.scrub?.rows ?? [])
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
  const { recipe, model, out, seed = 0, concurrency = 8, again = 2, sampling = {}, version = '' } = options
  const { limit, scrub = {}, against = [], batch: isBatch = false, maxCost, maxTokens, maxCalls } = options
  const notice = (message: string): void => tell({ type: 'notice', message })
  const found: Partial<Record<PiiKind, number>> = {}
  const seeds = scrubbed(options.seeds, scrub.seeds ?? [], found)
  const setup: SynthesisSetup = {
    recipe: { name: recipe.name, setup: recipe.setup },
    teacher: { name: model.name, setup: model.setup, version, sampling, again },
    seed,
    seeds: { count: seeds.length, hash: hashOfSeeds(seeds) },
    ...((scrub.rows ?? []).length > 0 && { scrub: { rows: scrub.rows } }),
  }
  checkSeeds(recipe, seeds)
  checkSetup(out, setup, seeds)
  const { answers: results, failed, repeated, fault } = await readBatchResults(options.results ?? [])
  if (repeated > 0) notice(`${repeated} calls of the batch were answered again: the first answer is kept`)
  if (failed > 0) notice(`${failed} calls of the batch were not answered and are asked again; ${fault}`)
  const ledger = new Ledger(out, given({ maxCost, maxTokens, maxCalls }), notice)
  const files = new RowFiles(out)
  checkMade(out)
  const end = Math.min(limit ?? seeds.length, seeds.length)
  if (files.settled > 0) notice(`${files.settled} of ${end} seeds are done; going on`)
  const pending = isBatch ? new Map<string, PendingCall>() : undefined
  const progress = (): void => {
    const { promptTokens, completionTokens, cost } = ledger.spent
    const details = {
      refused: `${files.refused}`,
      tokens: `${promptTokens + completionTokens}`,
      ...(model.cost !== undefined && { cost: cost.toFixed(4) }),
    }
    tell({ type: 'progress', label: 'rows', done: Math.min(files.settled, end), total: end, unit: 'seeds', details })
  }
  let spent: string | undefined
  try {
    const finish = (row: unknown): unknown => scrubbed(row, scrub.rows ?? [])
    const rows = { recipe, seeds, end, files, model, ledger, seed, sampling, version, signal, again, concurrency }
    spent = await makeRows({ ...rows, finish, pending, results, progress })
    const unused = [...results.keys()].filter((key) => ledger.get(key) === undefined).length
    if (unused > 0) notice(`${unused} answers of the batch are to no call of this synthesis, and are left out`)
  } catch (error) {
    if (!signal.aborted)
      notice(`${files.settled} of ${end} seeds are done and all calls kept; the same command goes on from there`)
    throw error
  }
  const rejected = files.settled - files.rows
  const rows = [...readMadeRows(out)] as Row[]
  const report = synthesisReport(recipe, rows, {
    rejects: readRejects(out),
    spent: ledger.spent,
    isPriced: model.cost !== undefined,
    against: [{ name: 'seeds', texts: seeds.map(textsIn) }, ...against],
    teacher: model.name,
    seeds: seeds.length,
    rejected,
  })
  const samples = rows.slice(0, 5).map((row, i) => ({ label: `row ${i}`, text: recipe.textsOf(row).join('\n') }))
  writeFileAtomic(join(out, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`)
  writeFileAtomic(join(out, 'report.html'), synthesisPage(report, samples))
  writeLineage(out, {
    setup,
    report,
    licence: options.licence,
    files: options.seedFiles,
    began: ledger.began,
    ended: ledger.ended,
    isComplete: files.settled === seeds.length,
    scrubbed: {
      seeds: scrub.seeds === undefined ? null : found,
      rows: scrub.rows === undefined ? null : placeholdersIn(rows.map(textsIn), scrub.rows),
    },
  })
  tell({ type: 'saved', what: 'report', path: join(out, 'report.html') })
  const batch = pending === undefined || pending.size === 0 ? undefined : writeBatch(out, pending)
  return {
    out,
    end: batch !== undefined ? 'batch' : spent !== undefined ? 'budget' : 'done',
    ...(spent !== undefined && { budget: spent }),
    ...(batch !== undefined && { batch, waiting: pending!.size }),
    seeds: seeds.length,
    rows: files.rows,
    rejected,
    refused: files.refused,
    reasons: report.reasons,
    nearWithin: report.within.count,
    spent: { ...ledger.spent },
  }
}

/** Lets the recipe look at every seed before anything is asked. */
function checkSeeds<Seed>({ check }: Pick<Recipe<Seed, unknown, never>, 'check'>, seeds: readonly Seed[]): void {
  if (check === undefined) return
  for (const [i, one] of seeds.entries())
    try {
      check(one)
    } catch (error) {
      if (!(error instanceof AnnealError)) throw error
      throw new InputError(`seeds: row ${i + 1}: ${error.message}`, { cause: error })
    }
}

/** What is set of a budget. */
const given = (budget: { [Key in keyof SynthesisBudget]: SynthesisBudget[Key] | undefined }): SynthesisBudget =>
  Object.fromEntries(Object.entries(budget).filter(([, most]) => most !== undefined))

/** Why tries were refused, where some seed has no row for it: the three most frequent reasons. */
export function refusalLines({ rejected, reasons }: Pick<SynthesisResult, 'rejected' | 'reasons'>): string[] {
  return rejected === 0
    ? []
    : reasons.slice(0, 3).map(({ reason, count }) => `${counted(count, 'try', 'tries')} refused: ${reason}`)
}

function linesOf(result: SynthesisResult): string[] {
  const { rows, seeds, rejected, refused, nearWithin, spent, out, budget, batch, waiting } = result
  const tokens = spent.promptTokens + spent.completionTokens
  const cost = spent.cost > 0 ? `, cost ${spent.cost.toFixed(4)}` : ''
  return [
    `${rows} rows of ${seeds} seeds, ${rejected} without one, ${refused} tries refused, ${nearWithin} rows nearly like another; ${counted(spent.calls, 'call')}, ${counted(tokens, 'token')}${cost}; ${out}`,
    ...refusalLines(result),
    ...(spent.cut === 0
      ? []
      : [
          `${counted(spent.cut, 'answer')} ended at the limit of tokens: those are cut short. Allow more (sampling.max_tokens), or see finishReason in calls.jsonl`,
        ]),
    ...(budget === undefined ? [] : [`budget spent: ${budget}. With a larger one the same command goes on from there`]),
    ...(batch === undefined
      ? []
      : [`${waiting} calls wait for answers: give ${batch} to the service, and what comes back to the same command`]),
  ]
}

function checkWhole(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return
  throw new UsageError(`${name}: expected a whole number of at least ${least}, got ${value}`)
}
