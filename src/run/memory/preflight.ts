// Before the first step: says how much memory the run will need, and tries the longest batch and one evaluation batch, so that what
// does not fit is known now and not hours in. The run itself does not notice: no weight, random number or position changes.

import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { OutOfMemoryError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { dropSegments } from '../../torch/checkpointing.ts'
import { autocast, backward, Generator, noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import type { Objective } from '../../train/objective.ts'
import type { RunTell } from '../train/run-events.ts'
import { describeMemory, estimateMemory, type MemoryQuestion, memoryAdvice } from './memory-estimate.ts'

/** What is tried. */
export interface Preflight<B> {
  config: TrainConfig
  model: Decoder
  train: BatchSource<B>
  evaluation: BatchSource<B> | undefined
  objective: Objective<B>
  /** Matrix products are made in bf16. */
  bf16: boolean
}

/** Batches that are looked at for the longest; data beyond that is not read twice for it. */
const MOST_BATCHES = 20_000

/** Tells the estimate and tries both batches; an OutOfMemoryError says which key frees how much. */
export function preflight<B>(run: Preflight<B>, tell: RunTell): void {
  const { config, model, train, evaluation, objective, bf16 } = run
  const longest = longestBatch(train, objective, config.per_device_train_batch_size * config.max_length)
  const question = memoryQuestion(config, model, objective.tokens(longest), bf16)
  const need = estimateMemory(question)
  tell({ type: 'memory', message: `memory: ${describeMemory(need)}`, need })
  const generator = model.generator
  try {
    scope(() => tryStep(run, longest))
    if (evaluation !== undefined) {
      const batch = longestBatch(evaluation, objective, config.per_device_eval_batch_size * config.max_length)
      const evaluateOnce = (): void => void objective.forward(model, batch)
      withoutDropout(model, () => noGrad(() => scope(() => autocast(bf16 ? 'bf16' : null, evaluateOnce))))
    }
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

/** The longest batch of an epoch: samples are padded to the longest, so no batch of another order is larger. */
function longestBatch<B>(source: BatchSource<B>, objective: Objective<B>, most: number): B {
  let longest = source.at(0)
  const last = Math.min(source.batchesPerEpoch, MOST_BATCHES)
  for (let i = 1; i < last && objective.tokens(longest) < most; i++) {
    const batch = source.at(i)
    if (objective.tokens(batch) > objective.tokens(longest)) longest = batch
  }
  return longest
}

/** Forward and backward as in a step, beside as much memory as the optimizer will take. */
function tryStep<B>({ model, objective, config, bf16 }: Preflight<B>, batch: B): void {
  const trained = [...model.parameters()].map(([, parameter]) => parameter).filter(({ requiresGrad }) => requiresGrad)
  const moments = trained.flatMap((parameter): Tensor[] => [ops.zerosLike(parameter), ops.zerosLike(parameter)])
  // Dropout draws from a generator of its own.
  model.generator = new Generator(config.seed, model.device)
  autocast(bf16 ? 'bf16' : null, () => backward(objective.forward(model, batch).loss))
  for (const moment of moments) moment.free()
}

function memoryQuestion(config: TrainConfig, model: Decoder, tokens: number, bf16: boolean): MemoryQuestion {
  const parameters = [...model.parameters()].map(([, parameter]) => parameter)
  const trained = parameters.filter(({ requiresGrad }) => requiresGrad)
  const rows = config.per_device_train_batch_size
  return {
    model: model.config,
    weightBytes: parameters.reduce((sum, { nbytes }) => sum + nbytes, 0),
    trained: trained.reduce((sum, { numel }) => sum + numel, 0),
    trainsHead: [...model.head.parameters()].some(([, { requiresGrad }]) => requiresGrad),
    rows,
    length: Math.ceil(tokens / rows),
    gradientCheckpointing: config.gradient_checkpointing,
    bf16,
  }
}
