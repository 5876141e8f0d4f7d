// THE loop. An async generator of events: the command line prints them, a server streams them, tests collect them. It knows no method:
// what is trained is the model's parameters that require a gradient, what is minimised is the objective, what surrounds a step is a rule.

import type { Batch, BatchSource } from '../data/batch.ts'
import { NonFiniteError, UsageError } from '../errors.ts'
import type { Decoder } from '../model/decoder.ts'
import type { Trainable } from '../model/trainable.ts'
import { dropSegments } from '../torch/checkpointing.ts'
import { autocast, backward, type DType, Generator, noGrad, scope, type Tensor } from '../torch/index.ts'
import { AdamW, type AdamWOptions } from './adamw.ts'
import { type EvaluationOptions, evaluate, judge } from './evaluate.ts'
import type { StepMetrics, TrainEvent } from './events.ts'
import { describeModules, moduleMagnitudes, type NonFiniteReport } from './non-finite-report.ts'
import type { Objective } from './objective.ts'
import type { Rule, RunState } from './rule.ts'
import type { Schedule } from './schedule.ts'
import { type StepPlan, stepPlan } from './step-plan.ts'

/** After this many skipped steps in a row something is wrong with more than one batch. */
const MAX_SKIPS = 10

/** How to train; only `steps` and `learningRate` are needed. */
export interface TrainOptions<B, M extends Trainable = Decoder> {
  /** Optimizer steps of the whole run. */
  steps: number
  /** Epochs of the whole run, where it is told in epochs: its last step takes no more than they have. See `stepsIn`. */
  epochs?: number
  learningRate: number
  /** Factor of the learning rate by step; default constant. */
  schedule?: Schedule
  /** Micro-batches of a step; the last step of an epoch takes what is left of it. Default 1. */
  gradientAccumulation?: number
  optimizer?: AdamWOptions & { rateOf?: (name: string) => number }
  /** Gradients are scaled down to this global norm; 0 switches clipping off. Default 1. */
  maxGradNorm?: number
  /** Matrix products in bf16, weights and optimizer in f32. */
  bf16?: boolean
  /** Seeds dropout and the rules. */
  seed?: number
  onNonFinite?: 'stop' | 'skip'
  /** Hears of every step whose loss or gradient was not finite, before the run stops or goes on. */
  reportNonFinite?: (report: NonFiniteReport) => void
  rules?: readonly Rule[]
  evaluate?: EvaluationOptions<B>
  /** Called every `every` steps (may be a fraction, as an epoch is), at the end, and when stopped; a failure is reported and training goes on. */
  save?: { every: number; write: (run: RunState) => Promise<string> }
  /** Called every `every` steps to show what the model says. */
  sample?: { every: number; texts: (model: M) => Promise<{ prompt: string; text: string }[]> }
  /** Finish the step, save, and end. */
  stop?: { readonly aborted: boolean }
  /** Takes over a saved state before the first step. */
  resume?: (run: RunState) => void
}

/** Trains the parameters of `model` that require a gradient. See `TrainOptions`; errors carry their exit codes. */
export async function* train<B = Batch, M extends Trainable = Decoder>(
  model: M,
  batches: BatchSource<B>,
  objective: Objective<B, M>,
  options: TrainOptions<B, M>,
): AsyncGenerator<TrainEvent> {
  const plan = stepPlan(batches.batchesPerEpoch, options.gradientAccumulation ?? 1, options.epochs)
  const trained = [...model.parameters()].filter(([, tensor]) => tensor.requiresGrad)
  if (trained.length === 0) throw new UsageError('training: expected parameters that require a gradient, got none')
  const optimizer = scope(() => new AdamW(trained, options.optimizer))
  const seed = options.seed ?? 0
  const run: RunState = {
    steps: options.steps,
    seed,
    step: 0,
    skippedSteps: 0,
    consecutiveSkips: 0,
    tokens: 0,
    lossSum: 0,
    best: null,
    evaluationsWithoutGain: 0,
    optimizer,
    generator: new Generator(seed, model.device),
    rules: options.rules ?? [],
  }
  options.resume?.(run)
  yield {
    type: 'run-start',
    steps: options.steps,
    startStep: run.step,
    parameters: model.weightCount,
    trainableParameters: sizeOf(trained),
  }
  const started = performance.now()
  const startStep = run.step
  let triedStep = run.step // to save
  let reason: 'finished' | 'stopped' | 'early-stopping' = 'finished'
  const save = async function* (): AsyncGenerator<TrainEvent> {
    if (options.save === undefined || triedStep === run.step) return
    triedStep = run.step
    const begun = performance.now()
    try {
      const path = await options.save.write(run)
      yield { type: 'checkpoint-saved', step: run.step, path, seconds: (performance.now() - begun) / 1000 }
    } catch (error) {
      yield { type: 'checkpoint-failed', step: run.step, message: (error as Error).message, error: error as Error }
    }
  }

  try {
    while (run.step < options.steps) {
      if (options.stop?.aborted) {
        reason = 'stopped'
        break
      }
      if (run.evaluationsWithoutGain >= (options.evaluate?.patience ?? Number.POSITIVE_INFINITY)) {
        reason = 'early-stopping'
        break
      }
      // ------------------------------------------------------------ a single training step
      const outcome = scope(() => trainStep(model, batches, objective, options, run, plan))
      run.step++
      if ('skipped' in outcome) {
        yield { type: 'step-skipped', step: run.step, reason: outcome.skipped }
        run.skippedSteps++
        if (++run.consecutiveSkips > MAX_SKIPS)
          throw new NonFiniteError(
            `${outcome.skipped}; ${run.consecutiveSkips} steps in a row. The weights are unchanged; lower learning_rate or look at the data`,
          )
      } else {
        run.consecutiveSkips = 0
        run.lossSum += outcome.metrics.loss
        yield { type: 'step-done', ...outcome }
      }
      // ------------------------------------------------------------ once in a while: evaluate, sample, save
      const last = run.step === options.steps
      const evaluation = options.evaluate
      let isBest = false
      if (evaluation !== undefined && (last || isDue(run.step, evaluation.every))) {
        const metrics = await evaluate(model, evaluation.batches, objective, {
          bf16: options.bf16 ?? false,
          maxBatches: evaluation.maxBatches,
        })
        isBest = judge(run, metrics, evaluation)
        const epoch = plan.epochsAfter(run.step)
        yield { type: 'evaluation-done', step: run.step, epoch, metrics, isBest }
      }
      if (options.sample !== undefined && (last || isDue(run.step, options.sample.every))) {
        for (const sample of await options.sample.texts(model)) yield { type: 'sample', step: run.step, ...sample }
      }
      if ((isBest && evaluation?.saveBest) || isDue(run.step, options.save?.every)) yield* save()
      await new Promise(setImmediate) // signals and other work get their turn
    }
    yield* save()
    const runtime = (performance.now() - started) / 1000
    const updates = run.step - run.skippedSteps
    const metrics = {
      train_runtime: runtime,
      train_steps_per_second: (run.step - startStep) / runtime,
      train_loss: updates === 0 ? 0 : run.lossSum / updates,
      num_tokens: run.tokens,
      ...(run.skippedSteps > 0 && { skipped_steps: run.skippedSteps }),
    }
    yield { type: 'run-end', step: run.step, reason, metrics }
  } finally {
    model.generator = null
    optimizer.zeroGrad()
    optimizer.free()
    for (const rule of run.rules) rule.remove?.()
  }
}

type Outcome = { metrics: StepMetrics; seconds: number } | { skipped: string }

/** Forward, backward and update over the micro-batches of optimizer step `run.step`. */
function trainStep<B, M extends Trainable>(
  model: M,
  source: BatchSource<B>,
  objective: Objective<B, M>,
  options: TrainOptions<B, M>,
  run: RunState,
  plan: StepPlan,
): Outcome {
  const begun = performance.now()
  const { first, count } = plan.microBatches(run.step)
  const last = first + count - 1
  const batches = Array.from({ length: count }, (_, i) => source.at(first + i))
  const weight = batches.reduce((sum, batch) => sum + objective.weight(batch), 0)
  if (weight === 0)
    throw new UsageError(
      `step ${run.step + 1}: expected supervised tokens, got 0. Check the labels of batches ${first} to ${last}`,
    )
  const tokens = batches.reduce((sum, batch) => sum + objective.tokens(batch), 0)
  const dtype: DType | null = options.bf16 ? 'bf16' : null
  const sums: Record<string, number> = {}
  model.generator = run.generator
  const forwardBackward = (): number => {
    let loss = 0
    for (const [index, batch] of batches.entries()) {
      const micro = {
        index,
        batch,
        loss: () => autocast(dtype, () => objective.forward(model, batch).loss.div(weight)),
      }
      const microStep = run.rules.reduceRight<() => number>(
        (next, rule) => (rule.microStep ? () => rule.microStep!(run, micro, next) : next),
        () =>
          scope(() =>
            autocast(dtype, () => {
              const result = objective.forward(model, batch)
              backward(result.loss.div(weight))
              for (const [name, value] of Object.entries(result.metrics))
                sums[name] = (sums[name] ?? 0) + value.item() / weight
              return result.loss.item() / weight
            }),
          ),
      )
      loss += microStep()
    }
    return loss
  }
  const steps = run.rules.reduceRight<() => number>(
    (next, rule) => (rule.step ? () => rule.step!(run, next) : next),
    forwardBackward,
  )
  let loss: number
  try {
    loss = steps()
  } catch (error) {
    run.optimizer.zeroGrad()
    throw error
  } finally {
    dropSegments() // of a forward pass whose backward failed or never came
  }
  const norm = run.optimizer.gradientNorm().item()
  if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
    const modules = moduleMagnitudes(model)
    run.optimizer.zeroGrad()
    const ids: NonFiniteReport['batches'] = [first, last]
    options.reportNonFinite?.({ step: run.step + 1, batches: ids, loss, gradientNorm: norm, modules })
    const what = `step ${run.step + 1}: expected finite numbers, got loss ${loss} and gradient norm ${norm} on batches ${first} to ${last}`
    if (options.onNonFinite !== 'skip')
      throw new NonFiniteError(
        `${what}. The weights are unchanged; lower learning_rate or set on_nonfinite: skip. ${describeModules(modules)}`,
      )
    return { skipped: what }
  }
  const limit = options.maxGradNorm ?? 1
  const rate = options.learningRate * (options.schedule?.(run.step - run.skippedSteps) ?? 1)
  noGrad(() => run.optimizer.step(rate, limit > 0 && norm > limit ? limit / (norm + 1e-6) : 1))
  run.optimizer.zeroGrad()
  run.tokens += tokens
  const extra = Object.assign({}, ...run.rules.map((rule) => rule.metrics?.() ?? {})) as Record<string, number>
  const seconds = (performance.now() - begun) / 1000
  const metrics: StepMetrics = {
    ...sums,
    ...extra,
    step: run.step + 1,
    epoch: plan.epochsAfter(run.step + 1),
    loss,
    grad_norm: norm,
    learning_rate: rate,
    num_tokens: run.tokens,
    tokens_per_second: tokens / seconds,
  }
  return { metrics, seconds }
}

/** True at the first step at or after each multiple of `every`, which need not be whole. */
function isDue(step: number, every = Number.POSITIVE_INFINITY): boolean {
  const rounding = 1e-9
  return Math.floor(step / every + rounding) > Math.floor((step - 1) / every + rounding)
}

function sizeOf(list: Iterable<[string, Tensor]>): number {
  return Array.from(list, ([, tensor]) => tensor.numel).reduce((a, b) => a + b, 0)
}
