// Bayesian optimisation of an assignment under a byte budget: which one to measure next. The surrogate is a Gaussian process on what
// the additive model (`ChoiceTable`) misses, the acquisition is expected improvement, and candidates are one and two edits away from
// the best assignments so far, or near-optimal ones of a disturbed table, or random. The measured loss must be deterministic (fixed
// batches: common random numbers), so nothing is measured twice. A search is a function of its options: to resume one, answer
// `evaluate` from a journal.
// Paper: QPruner, arXiv:2412.11629, refines its allocation by a GP with expected improvement; features and candidates here are ours.
import { philox4x32 } from '../infer/philox.ts'
import { type Assignment, type Choice, type ChoiceTable, exactAssignment, totalOf } from './budget-assignment.ts'
import { expectedImprovement, fitGaussianProcess } from './gaussian-process.ts'

export interface SearchOptions {
  /** Bytes of every choice, and the loss that the additive model expects of it (measured alone, say). */
  table: ChoiceTable
  /** Most bytes of an assignment. */
  budget: number
  /** Measured first, in this order; those above the budget count for the front and for learning only. */
  starts: readonly Assignment[]
  /** The true loss of an assignment. */
  evaluate: (assignment: Assignment) => Promise<number>
  /** Most evaluations, those of `starts` included. */
  evaluations: number
  /** Ends the search when no candidate promises to save this share of the best loss. Default 1e-4. */
  leastImprovement?: number
  seed?: number
}

/** One measured assignment. */
export interface Trial {
  readonly assignment: Assignment
  readonly bytes: number
  readonly loss: number
  /** What the surrogate promised to save, in the unit of the loss; null for a start. */
  readonly promised: number | null
}

const DISTURBED = 24
const RANDOM = 24
/** Pairs of edits looked at around one assignment; where there are more, a sample. */
const MOST_PAIRS = 2000

/** Why a search ended: all that it may measure, nothing better expected, or nothing left that it could try. */
export type SearchEnd = 'evaluations' | 'converged' | 'exhausted'

/** Yields every trial as it is measured; returns why it ended. */
export async function* searchAssignment(options: SearchOptions): AsyncGenerator<Trial, SearchEnd, void> {
  const { table, budget, evaluate, evaluations, leastImprovement = 1e-4, seed = 0 } = options
  const trials: Trial[] = []
  const seen = new Set<string>()
  const measure = async (assignment: Assignment, promised: number | null): Promise<Trial> => {
    seen.add(assignment.join())
    const trial = { assignment, bytes: totalOf(table, assignment).bytes, loss: await evaluate(assignment), promised }
    trials.push(trial)
    return trial
  }
  for (const start of options.starts) {
    if (trials.length === evaluations) return 'evaluations'
    if (!seen.has(start.join())) yield await measure(start, null)
  }
  while (trials.length < evaluations) {
    const random = randomNumbers(seed, trials.length)
    const best = bestWithin(trials, budget)
    const score = improvementOver(best?.loss ?? Number.POSITIVE_INFINITY, trials, table)
    let next: { assignment: Assignment; promised: number } | undefined
    for (const assignment of candidates(trials, options, random)) {
      if (seen.has(assignment.join()) || totalOf(table, assignment).bytes > budget) continue
      const promised = score(assignment)
      if (next === undefined || promised > next.promised) next = { assignment, promised }
    }
    if (next === undefined) return 'exhausted'
    if (best && next.promised < leastImprovement * Math.abs(best.loss)) return 'converged'
    yield await measure(next.assignment, next.promised)
  }
  return 'evaluations'
}

/** The trial with the least loss within the budget. */
export function bestWithin(trials: readonly Trial[], budget: number): Trial | undefined {
  const fitting = trials.filter(({ bytes }) => bytes <= budget)
  return fitting.reduce<Trial | undefined>((best, trial) => (best && best.loss <= trial.loss ? best : trial), undefined)
}

/** Those that no other beats in bytes and loss, ascending in bytes. */
export function paretoFront<T extends { bytes: number; loss: number }>(trials: readonly T[]): T[] {
  const front: T[] = []
  for (const trial of trials.toSorted((a, b) => a.bytes - b.bytes || a.loss - b.loss))
    if (front.length === 0 || trial.loss < front.at(-1)!.loss) front.push(trial)
  return front
}

/** Expected improvement on `best` under a process fitted to what the additive model misses. */
function improvementOver(
  best: number,
  trials: readonly Trial[],
  table: ChoiceTable,
): (assignment: Assignment) => number {
  const expected = (assignment: Assignment): number => totalOf(table, assignment).loss
  const slope = slopeOf(trials.map(({ assignment, loss }) => [expected(assignment), loss]))
  const place = featuresOf(table)
  const process = fitGaussianProcess(
    trials.map(({ assignment }) => place(assignment)),
    trials.map(({ assignment, loss }) => loss - slope * expected(assignment)),
  )
  return (assignment) => {
    const { mean, deviation } = process.predict(place(assignment))
    return expectedImprovement({ mean: mean + slope * expected(assignment), deviation }, best)
  }
}

/** Least squares through the mean; 1 where the pairs do not say. */
function slopeOf(pairs: readonly (readonly [x: number, y: number])[]): number {
  const mean = (k: 0 | 1): number => pairs.reduce((sum, pair) => sum + pair[k], 0) / pairs.length
  const [mx, my] = [mean(0), mean(1)]
  const variance = pairs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0)
  const covariance = pairs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0)
  return variance > 0 && covariance > 0 ? covariance / variance : 1
}

/**
 * Coordinates of an assignment: for every unit the loss expected of its choice, in units of the largest. Where two assignments differ
 * in choices that hardly matter they are close, and an error in a unit's expected loss is a slope along its axis.
 */
function featuresOf(table: ChoiceTable): (assignment: Assignment) => number[] {
  const largest = Math.max(...table.flat().map(({ loss }) => Math.abs(loss))) || 1
  const squeezed = table.map((choices) => choices.map(({ loss }) => Math.sqrt(Math.abs(loss) / largest)))
  return (assignment) => assignment.map((option, unit) => squeezed[unit]![option]!)
}

function* candidates(
  trials: readonly Trial[],
  { table, budget }: SearchOptions,
  random: () => number,
): Iterable<Assignment> {
  const best = bestWithin(trials, budget)
  for (const { assignment } of paretoFront(trials)) yield* oneEdit(assignment, table)
  if (best !== undefined) yield* twoEdits(best.assignment, table, random)
  for (let i = 0; i < DISTURBED; i++) yield exactAssignment(disturbed(table, random), budget, 512)
  for (let i = 0; i < RANDOM; i++) yield randomAssignment(table, budget, random)
}

type Edit = readonly [unit: number, option: number]

function editsOf(assignment: Assignment, table: ChoiceTable): Edit[] {
  return table.flatMap((choices, unit) =>
    choices.flatMap((_, option): Edit[] => (option === assignment[unit] ? [] : [[unit, option]])),
  )
}

const edited = (assignment: Assignment, ...edits: Edit[]): Assignment => {
  const changed = [...assignment]
  for (const [unit, option] of edits) changed[unit] = option
  return changed
}

function* oneEdit(assignment: Assignment, table: ChoiceTable): Iterable<Assignment> {
  for (const edit of editsOf(assignment, table)) yield edited(assignment, edit)
}

/** One unit more bytes, another fewer. */
function* twoEdits(assignment: Assignment, table: ChoiceTable, random: () => number): Iterable<Assignment> {
  const change = ([unit, option]: Edit): number => table[unit]![option]!.bytes - table[unit]![assignment[unit]!]!.bytes
  const edits = editsOf(assignment, table)
  const up = edits.filter((edit) => change(edit) > 0)
  const down = edits.filter((edit) => change(edit) < 0)
  const share = MOST_PAIRS / (up.length * down.length)
  for (const raise of up)
    for (const lower of down)
      if (raise[0] !== lower[0] && (share >= 1 || random() < share)) yield edited(assignment, raise, lower)
}

/** Every unit's losses times a factor of its own, from 1/e to e: what if some of them are wrong? */
function disturbed(table: ChoiceTable, random: () => number): ChoiceTable {
  return table.map((choices) => {
    const factor = Math.exp(random() * 2 - 1)
    return choices.map(({ bytes, loss }): Choice => ({ bytes, loss: loss * factor }))
  })
}

/** Random options, made smaller in a random order until they fit. */
function randomAssignment(table: ChoiceTable, budget: number, random: () => number): Assignment {
  const assignment = table.map((choices) => Math.floor(random() * choices.length))
  let { bytes } = totalOf(table, assignment)
  for (const unit of shuffled(table.length, random)) {
    const choices = table[unit]!
    const now = choices[assignment[unit]!]!.bytes
    // The largest option that fits, else the smallest.
    const fitting = choices.map((choice, option) => ({ option, bytes: choice.bytes })).sort((a, b) => b.bytes - a.bytes)
    if (bytes <= budget) break
    const chosen = fitting.find((one) => bytes - now + one.bytes <= budget) ?? fitting.at(-1)!
    assignment[unit] = chosen.option
    bytes += chosen.bytes - now
  }
  return assignment
}

function shuffled(length: number, random: () => number): number[] {
  const list = Array.from({ length }, (_, i) => i)
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[list[i], list[j]] = [list[j]!, list[i]!]
  }
  return list
}

/** Numbers in [0, 1), a stream of its own for every step of the search. */
function randomNumbers(seed: number, step: number): () => number {
  let drawn = 0
  return () => philox4x32([drawn++, step, 0, 0], [seed >>> 0, Math.floor(seed / 2 ** 32)])[0] / 2 ** 32
}
