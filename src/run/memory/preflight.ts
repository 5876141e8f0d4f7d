// Before the first step: says how much memory the run will need, and tries the longest batch and one evaluation batch, so that what
// does not fit is known now and not hours in. The run itself does not notice: no weight, random number or position changes.

import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { ConfigError, OutOfMemoryError } from '../../errors.ts'
import { type AnyModel, isClassifier } from '../../model/any-model.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { amount } from '../../report/amounts.ts'
import { dropSegments } from '../../torch/checkpointing.ts'
import { autocast, backward, Generator, noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import type { Objective } from '../../train/objective.ts'
import { turn } from '../../work.ts'
import type { RunWatch } from '../train/run-events.ts'
import { describeMemory, estimateMemory, type MemoryQuestion, memoryAdvice, totalOf } from './memory-estimate.ts'

/** What of a batch is counted: pairs have two rows each. */
interface Rows {
  readonly rows: number
  readonly pairs?: Int32Array
}

/** What is tried. */
export interface Preflight<B extends Rows> {
  config: TrainConfig
  model: AnyModel
  train: BatchSource<B>
  evaluation: BatchSource<B> | undefined
  objective: Objective<B, AnyModel>
  /** Matrix products are made in bf16. */
  bf16: boolean
  /** Bytes that the process can still get; undefined where nobody knows. Default: what the system says, on a CPU. */
  available?: number | undefined
}

/** Batches that are looked at for the longest; data beyond that is not read twice for it. */
const MOST_BATCHES = 20_000

/** Tells the estimate and tries both batches; an OutOfMemoryError says which key frees how much. */
export async function preflight<B extends Rows>(run: Preflight<B>, watch: RunWatch): Promise<void> {
  const { config, model, train, evaluation, objective, bf16 } = run
  const { tell } = watch
  const longest = longestBatch(train, objective, config.per_device_train_batch_size * config.max_length)
  const rows = rowsOf(config, train, longest)
  if (rows < config.per_device_train_batch_size)
    tell({
      type: 'notice',
      message: `per_device_train_batch_size is ${config.per_device_train_batch_size.toLocaleString('en')}, and the data has ${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'}: each batch is all of it`,
    })
  const question = memoryQuestion(config, model, { tokens: objective.tokens(longest), rows, bf16 })
  const need = estimateMemory(question)
  tell({ type: 'memory', message: `memory: ${describeMemory(need)}`, need })
  const available = 'available' in run ? run.available : availableMemory(model.device)
  const more = totalOf(need) - need.weights // which are there already
  if (available !== undefined && more > available)
    tell({
      type: 'notice',
      message: `the run needs about ${amount(more, 'bytes')} beside the weights, and ${amount(available, 'bytes')} are available: it may be ended by the system. ${memoryAdvice(question, config.gradient_accumulation_steps).join('; ')}`,
    })
  const tried = (done: number): void =>
    tell({ type: 'progress', label: 'trying the longest batch', done, total: 1, unit: 'batches' })
  tried(0)
  await turn(watch) // the batch may take long, or all memory: what was told is read before
  const generator = model.generator
  try {
    scope(() => tryStep(run, longest))
    if (evaluation !== undefined) {
      const batch = longestBatch(evaluation, objective, config.per_device_eval_batch_size * config.max_length)
      const evaluateOnce = (): void => {
        const { metrics } = objective.forward(model, batch)
        const measured = ['loss', ...Object.keys({ ...metrics, ...objective.tally?.().metrics() })]
        const ofParts = (evaluation.parts ?? []).flatMap(({ name }) => measured.map((each) => `${name}_${each}`))
        refuseUnknownMetric(config, [...measured, ...ofParts])
      }
      withoutDropout(model, () => noGrad(() => scope(() => autocast(bf16 ? 'bf16' : null, evaluateOnce))))
    }
    tried(1)
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error
    const advice = memoryAdvice(question, config.gradient_accumulation_steps)
    throw new OutOfMemoryError(`${error.message}. For this run: ${advice.join('; ')}`, { cause: error })
  } finally {
    model.generator = generator
    dropSegments()
    for (const [, parameter] of model.parameters()) if (parameter.requiresGrad) parameter.grad = null
  }
}

/** A best model by a number that no evaluation gives would be found out at the first evaluation, after all the steps before it. */
function refuseUnknownMetric({ metric_for_best_model: name }: TrainConfig, measured: readonly string[]): void {
  const names = [...measured, 'runtime', 'steps_per_second'].map((each) => `eval_${each}`)
  if (name !== undefined && !names.includes(name))
    throw new ConfigError(
      `metric_for_best_model: expected one of ${names.join(', ')}, got ${name}. Name one that this stage measures`,
    )
}

/** The longest batch of an epoch: samples are padded to the longest, so no batch of another order is larger. */
function longestBatch<B extends Rows>(source: BatchSource<B>, objective: Objective<B>, most: number): B {
  let longest = source.at(0)
  const last = Math.min(source.batchesPerEpoch, MOST_BATCHES)
  for (let i = 1; i < last && objective.tokens(longest) < most; i++) {
    const batch = source.at(i)
    if (objective.tokens(batch) > objective.tokens(longest)) longest = batch
  }
  return longest
}

/** Forward and backward as in a step, beside as much memory as the optimizer will take. */
function tryStep<B extends Rows>({ model, objective, config, bf16 }: Preflight<B>, batch: B): void {
  const trained = [...model.parameters()].map(([, parameter]) => parameter).filter(({ requiresGrad }) => requiresGrad)
  const moments = trained.flatMap((parameter): Tensor[] => [ops.zerosLike(parameter), ops.zerosLike(parameter)])
  // Dropout draws from a generator of its own.
  model.generator = new Generator(config.seed, model.device)
  autocast(bf16 ? 'bf16' : null, () => backward(objective.forward(model, batch).loss))
  for (const moment of moments) moment.free()
}

/** Samples of the largest batch: as many as were asked for, or all that there are. */
function rowsOf<B extends Rows>(config: TrainConfig, { batchesPerEpoch }: BatchSource<B>, batch: B): number {
  const { per_device_train_batch_size: asked } = config
  return batchesPerEpoch === 1 ? Math.min(asked, batch.pairs?.length ?? batch.rows) : asked
}

/** What the system still has for this process; a device says by itself what it cannot hold. */
function availableMemory(device: string): number | undefined {
  return device === 'cpu' ? process.availableMemory() : undefined
}

function memoryQuestion(
  config: TrainConfig,
  model: AnyModel,
  { tokens, rows, bf16 }: { tokens: number; rows: number; bf16: boolean },
): MemoryQuestion {
  const parameters = [...model.parameters()].map(([, parameter]) => parameter)
  const trained = parameters.filter(({ requiresGrad }) => requiresGrad)
  return {
    // A head of labels is as good as nothing.
    model: isClassifier(model) ? { ...model.config, vocabSize: 1 } : model.config,
    weightBytes: parameters.reduce((sum, { nbytes }) => sum + nbytes, 0),
    trained: trained.reduce((sum, { numel }) => sum + numel, 0),
    trainsHead:
      !isClassifier(model) && [...(model.head ?? model).parameters()].some(([, { requiresGrad }]) => requiresGrad),
    rows,
    length: Math.ceil(tokens / rows),
    gradientCheckpointing: config.gradient_checkpointing,
    bf16,
  }
}
