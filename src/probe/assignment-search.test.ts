import { describe, expect, it } from 'vitest'
import { bestWithin, paretoFront, type SearchOptions, searchAssignment, type Trial } from './assignment-search.ts'
import { type Assignment, type ChoiceTable, exactAssignment, totalOf } from './budget-assignment.ts'

const UNITS = 10
/** True losses of each unit; the table's guesses are wrong by a factor that differs from unit to unit. */
const truth = Array.from({ length: UNITS }, (_, unit) => 0.02 * (1 + ((unit * 7) % 5)))
const guess = truth.map((loss, unit) => loss * [0.35, 1, 2.2, 0.7, 1.3][unit % 5]!)
const table: ChoiceTable = guess.map((loss) =>
  [2, 3, 4].map((bits, option) => ({ bytes: bits * 100, loss: loss / 8 ** option })),
)
const budget = UNITS * 300

/** Not additive: neighbours that are both at 2 bits hurt more. */
function trueLoss(assignment: Assignment): number {
  let loss = 0
  for (const [unit, option] of assignment.entries()) {
    loss += truth[unit]! / 8 ** option
    if (option === 0 && assignment[unit + 1] === 0) loss += 0.01
  }
  return loss
}

function bestOfAll(): number {
  let least = Number.POSITIVE_INFINITY
  for (let code = 0; code < 3 ** UNITS; code++) {
    const assignment = Array.from({ length: UNITS }, (_, unit) => Math.floor(code / 3 ** unit) % 3)
    if (totalOf(table, assignment).bytes <= budget) least = Math.min(least, trueLoss(assignment))
  }
  return least
}

const options = (change: Partial<SearchOptions> = {}): SearchOptions => ({
  table,
  budget,
  starts: [exactAssignment(table, budget), table.map(() => 1)],
  evaluate: async (assignment) => trueLoss(assignment),
  evaluations: 30,
  ...change,
})

async function collect(search: AsyncIterable<Trial>): Promise<Trial[]> {
  const trials: Trial[] = []
  for await (const trial of search) trials.push(trial)
  return trials
}

describe('searchAssignment', () => {
  it('comes close to the best of all 59,049 in 30 evaluations, from a table that is wrong', async () => {
    const optimum = bestOfAll()
    const start = trueLoss(exactAssignment(table, budget))
    for (const seed of [0, 1, 2]) {
      const trials = await collect(searchAssignment(options({ seed })))
      const found = bestWithin(trials, budget)!
      expect(found.bytes).toBeLessThanOrEqual(budget)
      expect(found.loss).toBeLessThan(start)
      expect((found.loss - optimum) / (start - optimum)).toBeLessThan(0.15)
      expect(new Set(trials.map(({ assignment }) => assignment.join())).size).toBe(trials.length)
      for (const { bytes, promised } of trials) if (promised !== null) expect(bytes).toBeLessThanOrEqual(budget)
    }
  })

  it('is a function of its options, so that answers from a journal resume it', async () => {
    const first = await collect(searchAssignment(options({ seed: 5, evaluations: 12, leastImprovement: 0 })))
    const known = new Map(first.map(({ assignment, loss }) => [assignment.join(), loss]))
    let measured = 0
    const evaluate = async (assignment: Assignment): Promise<number> => {
      const answer = known.get(assignment.join())
      if (answer === undefined) measured++
      return answer ?? trueLoss(assignment)
    }
    const again = await collect(searchAssignment(options({ seed: 5, evaluations: 14, leastImprovement: 0, evaluate })))
    expect(again.slice(0, 12)).toEqual(first)
    expect(measured).toBe(2)
    expect(again).toEqual(await collect(searchAssignment(options({ seed: 5, evaluations: 14, leastImprovement: 0 }))))
  })

  it('ends when nothing promises to be better', async () => {
    // The table is the truth: its optimum cannot be improved.
    const additive = async (assignment: Assignment): Promise<number> => totalOf(table, assignment).loss
    const search = searchAssignment(options({ evaluate: additive, evaluations: 60, leastImprovement: 1e-3 }))
    let count = 0
    let step = await search.next()
    for (; !step.done; step = await search.next()) count++
    expect(step.value).toBe('converged')
    expect(count).toBeLessThan(60)
    // Two units of one option: after its only assignment there is none left.
    const single = searchAssignment({
      table: [[{ bytes: 1, loss: 0 }]],
      budget: 1,
      starts: [[0]],
      evaluate: async () => 1,
      evaluations: 9,
    })
    expect([(await single.next()).done, (await single.next()).value]).toEqual([false, 'exhausted'])
  })

  it('promises what the table says where the table is the truth: its process models only what that misses', async () => {
    const additive = async (assignment: Assignment): Promise<number> => totalOf(table, assignment).loss
    // Far from the optimum, so that there is much to promise.
    const starts = [table.map((_, unit) => (unit % 2 === 0 ? 0 : 2)), table.map(() => 1), table.map(() => 0)]
    const trials = await collect(searchAssignment(options({ evaluate: additive, starts, evaluations: 5 })))
    const first = trials[3]!
    const best = bestWithin(trials.slice(0, 3), budget)!
    expect(best.loss - first.loss).toBeGreaterThan(0)
    expect(first.promised! / (best.loss - first.loss)).toBeCloseTo(1, 2)
  })

  it('learns from starts above the budget and does not choose them', async () => {
    const starts = [table.map(() => 2), table.map(() => 0)]
    const trials = await collect(searchAssignment(options({ starts, evaluations: 10 })))
    expect(trials[0]!.bytes).toBeGreaterThan(budget)
    expect(bestWithin(trials, budget)!.bytes).toBeLessThanOrEqual(budget)
  })
})

describe('paretoFront', () => {
  it('keeps what nothing beats', () => {
    const trial = (bytes: number, loss: number): Trial => ({ assignment: [], bytes, loss, promised: null })
    const trials = [trial(3, 1), trial(1, 5), trial(2, 5), trial(2, 4), trial(3, 2), trial(9, 0.5)]
    expect(paretoFront(trials).map(({ bytes, loss }) => [bytes, loss])).toEqual([
      [1, 5],
      [2, 4],
      [3, 1],
      [9, 0.5],
    ])
    expect(paretoFront([])).toEqual([])
  })
})
