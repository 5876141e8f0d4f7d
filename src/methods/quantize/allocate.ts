// Which format each unit gets, within a budget of bytes. `sensitivity` and `fisher` solve the knapsack exactly on losses that are measured
// or estimated, `bo` searches on from the first by Bayesian optimisation; a score that another method brings is followed greedily.
import type { Batch } from '../../data/batch.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { bestWithin, type SearchEnd, searchAssignment, type Trial } from '../../probe/assignment-search.ts'
import {
  type Assignment,
  type ChoiceTable,
  exactAssignment,
  fewestBytes,
  greedyAssignment,
  totalOf,
} from '../../probe/budget-assignment.ts'
import type { FormatScore } from '../../probe/format-score.ts'
import { Count, turn, type Watch } from '../../work.ts'
import type { AllocationMethod } from './choices.ts'
import { fisherErrors } from './fisher-error.ts'
import type { FormatSizes } from './format-sizes.ts'
import type { MeasuredLoss } from './measured-loss.ts'
import type { WeightBank } from './weight-bank.ts'

export interface AllocateOptions {
  /** By name, or a score of another method. */
  method: AllocationMethod | FormatScore
  /** Most bits per weight, scales and all else that is stored counted in. */
  budgetBits: number
  /** Most evaluations of `bo`. Default 40. */
  evaluations?: number
  seed?: number
}

/** A format for every unit, and what else was tried on the way to it. */
export interface Allocation {
  /** The allocation's name, or the score's. */
  method: string
  /** For each unit the index of its format in the bank. */
  assignment: Assignment
  bytes: number
  budget: number
  /** bytes · 8 / weights */
  bits: number
  /** What the choice was made by, [unit][format]; lower is better. Null where nothing was: one format for all. */
  losses: number[][] | null
  /** Everything that was measured: every format alone, the choice, and what `bo` tried. */
  trials: Trial[]
  /** Why `bo` ended. */
  ended?: SearchEnd
}

/** Chooses formats for the units of the bank. Tells of `searching` in assignments, and of each as a row of `trials`. UsageError for a budget that the smallest formats exceed. */
export async function allocate(
  model: Decoder,
  bank: WeightBank,
  measured: MeasuredLoss,
  calibration: readonly Batch[],
  options: AllocateOptions,
  watch?: Watch,
): Promise<Allocation> {
  const { method, budgetBits, evaluations = 40, seed = 0 } = options
  const budget = budgetOf(bank, budgetBits)
  const losses = await lossesBy(method, model, bank, measured, calibration, watch)
  const table = choiceTable(bank, losses)
  const uniform = bank.formats.map((_, option) => bank.units.map(() => option))
  const chosen =
    method === 'uniform'
      ? uniformWithin(bank, budget)
      : typeof method === 'object'
        ? greedyAssignment(table, budget)
        : exactAssignment(table, budget)
  const starts = [chosen, ...(method === 'bo' ? [greedyAssignment(table, budget)] : []), ...uniform]
  const different = new Set(starts.map((start) => start.join())).size
  const total = method === 'bo' ? Math.max(evaluations, different) : different
  const search = searchAssignment({
    table,
    budget,
    starts,
    evaluate: (assignment) => measured.of(assignment),
    evaluations: total,
    seed,
  })
  const count = new Count(watch, { label: 'searching', unit: 'assignments', total })
  const trials: Trial[] = []
  let step = await search.next()
  for (; !step.done; step = await search.next()) {
    trials.push(step.value)
    const { bytes, loss, promised } = step.value
    watch?.tell?.({ type: 'row', table: 'trials', row: { bytes, loss, promised } })
    count.add()
    await turn(watch)
  }
  if (method === 'bo' && trials.length < total) {
    const message = `searched ${searchedText(trials.length, step.value)}; up to ${total} were allowed`
    watch?.tell?.({ type: 'notice', message })
  }
  const { assignment, bytes } = method === 'bo' ? bestWithin(trials, budget)! : trials[0]!
  return {
    method: typeof method === 'object' ? method.name : method,
    assignment,
    bytes,
    budget,
    bits: (8 * bytes) / totalWeights(bank),
    losses: method === 'uniform' ? null : losses,
    trials,
    ...(method === 'bo' && { ended: step.value }),
  }
}

/** `5 assignments: nothing better is expected of another`. */
export function searchedText(count: number, ended: SearchEnd): string {
  const why = {
    evaluations: 'all that were allowed',
    converged: 'no other one is expected to be better',
    exhausted: 'there is no other one within the budget to try',
  }[ended]
  return `${count} assignment${count === 1 ? '' : 's'}: ${why}`
}

/** Bytes that a budget in bits per weight stands for; UsageError when the smallest formats take more. */
export function budgetOf(bank: FormatSizes, budgetBits: number): number {
  const budget = Math.floor((budgetBits * totalWeights(bank)) / 8)
  const fewest = fewestBytes(choiceTable(bank, zeroLosses(bank)))
  if (budget >= fewest) return budget
  // Rounded up, so that what is asked for is enough.
  const least = Math.ceil((8000 * fewest) / totalWeights(bank)) / 1000
  throw new UsageError(
    `budgetBits: expected at least ${least} bits per weight, which ${bank.formats.join(', ')} allow with their scales, got ${budgetBits}. Raise it, or allow a smaller format`,
  )
}

/** Losses as given, beside the bytes. */
export function choiceTable(bank: FormatSizes, losses: readonly (readonly number[])[]): ChoiceTable {
  return bank.units.map((_, unit) =>
    bank.formats.map((__, option) => ({ bytes: bank.bytes(unit, option), loss: losses[unit]![option]! })),
  )
}

/** The largest format that fits everywhere. */
export function uniformWithin(bank: FormatSizes, budget: number): Assignment {
  const table = choiceTable(bank, zeroLosses(bank))
  const fitting = bank.formats
    .map((_, option) => bank.units.map(() => option))
    .map((assignment) => ({ assignment, bytes: totalOf(table, assignment).bytes }))
    .filter(({ bytes }) => bytes <= budget)
    .sort((a, b) => b.bytes - a.bytes)
  return fitting[0]!.assignment
}

async function lossesBy(
  method: AllocationMethod | FormatScore,
  model: Decoder,
  bank: WeightBank,
  measured: MeasuredLoss,
  calibration: readonly Batch[],
  watch: Watch | undefined,
): Promise<number[][]> {
  if (method === 'uniform') return zeroLosses(bank)
  if (typeof method === 'object') return method.losses(model, bank.units, bank.formats, calibration, watch)
  if (method === 'fisher') return fisherErrors(model, bank, calibration, watch)
  return measured.sensitivities()
}

function zeroLosses(bank: FormatSizes): number[][] {
  return bank.units.map(() => bank.formats.map(() => 0))
}

function totalWeights(bank: FormatSizes): number {
  return bank.units.reduce((sum, _, unit) => sum + bank.weights(unit), 0)
}
