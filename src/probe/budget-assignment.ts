// One option for every unit of a model (a format for every layer, say) within a budget of bytes: the multiple-choice knapsack.
// `exactAssignment` minimises the summed loss, `greedyAssignment` climbs by loss saved per byte. Which losses go in, measured or
// guessed, is the caller's business; that losses add up is the model behind both.
import { UsageError } from '../errors.ts'

/** What one option of one unit takes and does. */
export interface Choice {
  /** Bytes, an integer ≥ 0. */
  readonly bytes: number
  /** Any finite number; lower is better. */
  readonly loss: number
}

/** Choices by unit and option. */
export type ChoiceTable = readonly (readonly Choice[])[]

/** The index of the option taken for each unit. */
export type Assignment = readonly number[]

/** Totals this many bytes apart are kept side by side; beyond it, close ones are merged (see `thin`). */
const MOST_TOTALS = 1 << 15

/** Bytes and loss of a whole assignment. */
export function totalOf(table: ChoiceTable, assignment: Assignment): Choice {
  let bytes = 0
  let loss = 0
  for (const [unit, option] of assignment.entries()) {
    bytes += table[unit]![option]!.bytes
    loss += table[unit]![option]!.loss
  }
  return { bytes, loss }
}

/** The fewest bytes that any assignment takes. */
export function fewestBytes(table: ChoiceTable): number {
  return table.reduce((sum, choices) => sum + Math.min(...choices.map(({ bytes }) => bytes)), 0)
}

/**
 * The assignment with the least summed loss among those of at most `budget` bytes. Nemhauser and Ullmann's list of totals: after each
 * unit, every (bytes, loss) that no other beats in both. Exact while the list stays below 2^15 totals, as it does for layers whose
 * sizes share a large divisor; above that, totals that are close in bytes are merged and the result is feasible and near the best.
 * UsageError when not even the smallest options fit.
 */
export function exactAssignment(table: ChoiceTable, budget: number, mostTotals: number = MOST_TOTALS): Assignment {
  checkBudget(table, budget)
  const cheapestAfter = restOf(table)
  const stages: Totals[] = []
  let totals: Totals = { bytes: [0], loss: [0], before: [-1], option: [-1] }
  for (const [unit, choices] of table.entries()) {
    totals = thin(extend(totals, choices, budget - cheapestAfter[unit + 1]!), mostTotals)
    stages.push(totals)
  }
  // Totals ascend in bytes and descend in loss, so the last one is the best.
  let at = totals.bytes.length - 1
  const assignment = new Array<number>(table.length)
  for (let unit = table.length - 1; unit >= 0; unit--) {
    assignment[unit] = stages[unit]!.option[at]!
    at = stages[unit]!.before[at]!
  }
  return assignment
}

/** Starts from the smallest options and takes the change with the most loss saved per byte, as long as one fits and saves. */
export function greedyAssignment(table: ChoiceTable, budget: number): Assignment {
  checkBudget(table, budget)
  const assignment = table.map(smallest)
  let bytes = totalOf(table, assignment).bytes
  for (;;) {
    let best = { unit: -1, option: -1, rate: 0 }
    for (const [unit, choices] of table.entries()) {
      const now = choices[assignment[unit]!]!
      for (const [option, choice] of choices.entries()) {
        const saved = now.loss - choice.loss
        if (saved <= 0 || bytes - now.bytes + choice.bytes > budget) continue
        const more = choice.bytes - now.bytes
        const rate = more <= 0 ? Number.POSITIVE_INFINITY : saved / more
        if (rate > best.rate) best = { unit, option, rate }
      }
    }
    if (best.unit < 0) return assignment
    bytes += table[best.unit]![best.option]!.bytes - table[best.unit]![assignment[best.unit]!]!.bytes
    assignment[best.unit] = best.option
  }
}

/** Columns of equal length, ascending in bytes and strictly descending in loss. */
interface Totals {
  bytes: number[]
  loss: number[]
  /** Index in the list before this unit. */
  before: number[]
  option: number[]
}

/** Every total with every choice added, those above `most` bytes and those beaten by another left out: one sorted list for each choice, merged. */
function extend(totals: Totals, choices: readonly Choice[], most: number): Totals {
  const kept: Totals = { bytes: [], loss: [], before: [], option: [] }
  const heads = choices.map(() => 0)
  let least = Number.POSITIVE_INFINITY
  for (;;) {
    let next = { bytes: Number.POSITIVE_INFINITY, loss: Number.POSITIVE_INFINITY, option: -1 }
    for (let option = 0; option < choices.length; option++) {
      const head = heads[option]!
      if (head === totals.bytes.length) continue
      const bytes = totals.bytes[head]! + choices[option]!.bytes
      const loss = totals.loss[head]! + choices[option]!.loss
      if (bytes < next.bytes || (bytes === next.bytes && loss < next.loss)) next = { bytes, loss, option }
    }
    if (next.bytes > most || next.option < 0) return kept
    const before = heads[next.option]!++
    if (next.loss >= least) continue
    least = next.loss
    kept.bytes.push(next.bytes)
    kept.loss.push(next.loss)
    kept.before.push(before)
    kept.option.push(next.option)
  }
}

/** At most `most` totals: in each of as many equal ranges of bytes, the one with the least loss. The smallest always stays. */
function thin(totals: Totals, most: number): Totals {
  const count = totals.bytes.length
  if (count <= most) return totals
  const [low, high] = [totals.bytes[0]!, totals.bytes[count - 1]!]
  const rangeOf = (i: number): number => Math.floor(((totals.bytes[i]! - low) / (high - low)) * (most - 2))
  const stays = (i: number): boolean => i === 0 || i === count - 1 || rangeOf(i) !== rangeOf(i + 1)
  const pick = (column: number[]): number[] => column.filter((_, i) => stays(i))
  return {
    bytes: pick(totals.bytes),
    loss: pick(totals.loss),
    before: pick(totals.before),
    option: pick(totals.option),
  }
}

/** The fewest bytes of the units from each index on. */
function restOf(table: ChoiceTable): number[] {
  const rest = [0]
  for (const choices of table.toReversed()) rest.unshift(rest[0]! + Math.min(...choices.map(({ bytes }) => bytes)))
  return rest
}

function smallest(choices: readonly Choice[]): number {
  const better = (a: Choice, b: Choice): boolean => a.bytes < b.bytes || (a.bytes === b.bytes && a.loss < b.loss)
  return choices.reduce((best, choice, option) => (better(choice, choices[best]!) ? option : best), 0)
}

function checkBudget(table: ChoiceTable, budget: number): void {
  const fewest = fewestBytes(table)
  if (!(budget >= fewest)) throw new UsageError(`budget: expected at least ${fewest} bytes, got ${budget}. Raise it`)
}
