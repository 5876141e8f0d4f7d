// Evaluation while a model trains: metrics over held-out batches, and which evaluation was the best. It changes no weight, draws no
// random number, and leaves dropout off.
import type { Batch, BatchSource } from '../data/batch.ts'
import { UsageError } from '../errors.ts'
import type { Decoder } from '../model/decoder.ts'
import type { Trainable } from '../model/trainable.ts'
import { withoutDropout } from '../model/without-dropout.ts'
import { autocast, noGrad, scope } from '../torch/index.ts'
import { Count, turn, type Watch } from '../work.ts'
import type { Objective, ObjectiveResult, Tally } from './objective.ts'
import type { RunState } from './rule.ts'

/** When to evaluate, on what, and what counts as better. */
export interface EvaluationOptions<B = Batch> {
  batches: BatchSource<B>
  /** Steps between two evaluations; may be a fraction, as an epoch is. There is one at the end, too. */
  every: number
  maxBatches?: number
  /** Default `eval_loss`. */
  metric?: string
  greaterIsBetter?: boolean
  /** Ends the run after this many evaluations in a row without a gain above `threshold`. */
  patience?: number
  threshold?: number
  /** Saves a checkpoint whenever an evaluation is the best so far, also between the usual ones. */
  saveBest?: boolean
}

/** Mean loss and metrics over `batches`, without gradients or dropout: `eval_loss`, `eval_runtime`, …; of named parts also `eval_<name>_loss`. Tells of `evaluating` in batches. */
export async function evaluate<B, M extends Trainable = Decoder>(
  model: M,
  batches: BatchSource<B>,
  objective: Objective<B, M>,
  options: { bf16?: boolean; maxBatches?: number | undefined } = {},
  watch?: Watch,
): Promise<Record<string, number>> {
  const started = performance.now()
  const count = Math.min(batches.batchesPerEpoch, options.maxBatches ?? Number.POSITIVE_INFINITY)
  const done = new Count(watch, { label: 'evaluating', unit: 'batches', total: count })
  const all = new Sums(objective)
  const parts = new Map((batches.parts ?? []).map(({ name }) => [name, new Sums(objective)]))
  for (let i = 0; i < count; i++) {
    const batch = batches.at(i)
    const part = parts.get(partOf(batches, i) ?? '')
    withoutDropout(model, () =>
      noGrad(() =>
        scope(() =>
          autocast(options.bf16 ? 'bf16' : null, () => {
            const result = objective.forward(model, batch)
            all.add(batch, result)
            part?.add(batch, result)
          }),
        ),
      ),
    )
    done.add()
    await turn(watch)
  }
  if (all.weight === 0)
    throw new UsageError(
      `evaluation: expected supervised tokens, got 0 in ${count} batches. Check the labels of the evaluation data`,
    )
  const runtime = (performance.now() - started) / 1000
  const metrics: Record<string, number> = {}
  for (const [name, value] of Object.entries(all.means())) metrics[`eval_${name}`] = value
  for (const [part, sums] of parts)
    for (const [name, value] of Object.entries(sums.means())) metrics[`eval_${part}_${name}`] = value
  return { ...metrics, eval_runtime: runtime, eval_steps_per_second: count / runtime }
}

/** Loss and metrics summed over batches. */
class Sums<B, M extends Trainable> {
  weight = 0
  private readonly objective: Objective<B, M>
  private readonly sums: Record<string, number> = { loss: 0 }
  private readonly tally: Tally<B> | undefined

  constructor(objective: Objective<B, M>) {
    this.objective = objective
    this.tally = objective.tally?.()
  }

  add(batch: B, { loss, metrics, outputs }: ObjectiveResult): void {
    this.weight += this.objective.weight(batch)
    if (outputs !== undefined) this.tally?.add(batch, outputs)
    this.sums.loss! += loss.item()
    for (const [name, value] of Object.entries(metrics)) this.sums[name] = (this.sums[name] ?? 0) + value.item()
  }

  /** Empty where nothing was added. */
  means(): Record<string, number> {
    if (this.weight === 0) return {}
    const means = Object.entries(this.sums).map(([name, sum]) => [name, sum / this.weight] as const)
    return { ...Object.fromEntries(means), ...this.tally?.metrics() }
  }
}

/** The name of the set that batch `index` belongs to. */
function partOf({ parts = [] }: BatchSource<unknown>, index: number): string | undefined {
  let from = 0
  return parts.find(({ batches }) => {
    from += batches
    return index < from
  })?.name
}

/**
 * Keeps count of the best evaluation in `run`; true when this one is it. As in Transformers, patience counts gains above
 * `threshold`, while the best is simply the best. A metric that is not finite is never a gain.
 */
export function judge<B>(run: RunState, metrics: Record<string, number>, options: EvaluationOptions<B>): boolean {
  const name = options.metric ?? 'eval_loss'
  const value = metrics[name] ?? metrics[`eval_${name}`]
  if (value === undefined)
    throw new UsageError(`metric_for_best_model: expected one of ${Object.keys(metrics).join(', ')}, got ${name}`)
  const sign = options.greaterIsBetter ? 1 : -1
  const gain = !Number.isFinite(value)
    ? Number.NEGATIVE_INFINITY
    : run.best === null
      ? Number.POSITIVE_INFINITY
      : sign * (value - run.best.metric)
  run.evaluationsWithoutGain = gain > (options.threshold ?? 0) ? 0 : run.evaluationsWithoutGain + 1
  if (!(gain > 0)) return false
  run.best = { metric: value, step: run.step }
  return true
}
