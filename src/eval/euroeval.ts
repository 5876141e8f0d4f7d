// EuroEval's method (Nielsen 2023): ten rounds, each over documents drawn with replacement and with its own few-shot examples, seeded 4242 and
// on; the mean, and 1.96 times its standard error around it.

import { aggregate, type MetricValue, mean, sampleStandardDeviation } from './aggregate.ts'
import { type EvaluateOptions, evaluate } from './evaluate.ts'
import type { EvalModel } from './model.ts'
import { PythonRandom } from './python-random.ts'
import { aggregationOf } from './results.ts'
import type { Task } from './task.ts'

const ROUNDS = 10
const SEED = 4242

/** A metric over the rounds. */
export interface RoundScores {
  mean: number
  /** It lies this far from the mean at most, with 95 % confidence. */
  interval: number
  scores: readonly number[]
}

/** The rounds of each task and metric. A request that several rounds make is asked once. */
export async function euroeval(
  model: EvalModel,
  tasks: readonly Task[],
  options: EvaluateOptions,
): Promise<Record<string, Record<string, RoundScores>>> {
  const scores = new Map<string, Map<string, number[]>>()
  for (let round = 0; round < ROUNDS; round++) {
    const seed = SEED + round
    for (const run of await evaluate(model, tasks, { ...options, seed })) {
      const random = new PythonRandom(seed)
      for (const filter of new Set(run.samples.map((sample) => sample.filter))) {
        const scored = run.samples.filter((sample) => sample.filter === filter && sample.failed === undefined)
        const places = random.choiceIndices(scored.length, new Int32Array(scored.length))
        const drawn = Array.from(places, (place) => scored[place]!)
        for (const name of new Set(drawn.flatMap((sample) => Object.keys(sample.scores)))) {
          const items = drawn
            .map((sample) => sample.scores[name])
            .filter((item): item is MetricValue => item !== undefined)
          const value = aggregate(aggregationOf(name, run.metrics, run.task.name), items)
          const key = filter === 'none' ? name : `${name},${filter}`
          const known = scores.get(run.task.name) ?? new Map<string, number[]>()
          scores.set(run.task.name, known.set(key, [...(known.get(key) ?? []), value]))
        }
      }
    }
  }
  const summary = (values: readonly number[]): RoundScores => ({
    mean: mean(values),
    interval: (1.96 * sampleStandardDeviation(values)) / Math.sqrt(values.length),
    scores: values,
  })
  return Object.fromEntries(
    Array.from(scores, ([task, metrics]) => [
      task,
      Object.fromEntries(Array.from(metrics, ([metric, values]) => [metric, summary(values)])),
    ]),
  )
}
