// How many training steps fit into the time that is left: some steps of a throw-away model measure the rate. The number is
// chosen before the run because the learning-rate schedule needs it.

import type { BatchSource } from '../data/batch.ts'
import type { Decoder } from '../model/decoder.ts'
import { engineInfo, setThreads } from '../torch/index.ts'
import { languageModeling } from '../train/objective.ts'
import { train } from '../train/train.ts'

/** The first steps are slow: memory is new and kernels are chosen. */
const WARM_UP = 3
const FEWEST_MEASURED = 5
/** Long enough to notice that other programs want the machine too. */
const MEASURED_SECONDS = 3
const FEWEST_STEPS = 20
/** Steps of fine-tuning for each of pre-training. */
const TUNING_SHARE = 0.125
const FEWEST_TUNING_STEPS = 5
/** Fine-tuning is done twice, and a step with LoRA costs about three quarters of a whole one. */
const TUNING_COST = 2 * 0.75 * TUNING_SHARE

/** What the choice depends on; times in seconds. */
export interface StepBudget {
  secondsLeft: number
  secondsPerStep: number
  /** Batches of held-out text that are evaluated over the whole run. */
  evaluationBatches: number
  /** More than this is not worth it: the text has been read often enough. */
  mostSteps: number
}

/** Steps of each way to fine-tune after so many steps of pre-training. */
export function tuningSteps(steps: number): number {
  return Math.max(FEWEST_TUNING_STEPS, Math.round(TUNING_SHARE * steps))
}

/** Steps of training that fit, with fine-tuning after it. An evaluation batch costs about half a step: it has no backward pass. */
export function stepsThatFit({ secondsLeft, secondsPerStep, evaluationBatches, mostSteps }: StepBudget): number {
  const steps = Math.floor((secondsLeft / secondsPerStep - evaluationBatches / 2) / (1 + TUNING_COST))
  return Math.max(Math.min(FEWEST_STEPS, mostSteps), Math.min(steps, mostSteps))
}

/**
 * The number of threads with which a training step is fastest now, and the seconds that it takes: all of them, or one
 * where other programs want the machine too and threads would wait for each other. `makeModel` makes throw-away models.
 */
export async function measureThreads(
  makeModel: () => Decoder,
  source: BatchSource,
): Promise<{ threads: number; secondsPerStep: number }> {
  const measured: { threads: number; secondsPerStep: number }[] = []
  for (const threads of new Set([engineInfo().threads, 1])) {
    setThreads(threads)
    measured.push({ threads, secondsPerStep: await measureStep(makeModel(), source) })
  }
  return measured.reduce((best, next) => (next.secondsPerStep < best.secondsPerStep ? next : best))
}

/** Seconds that a training step takes now, the mean of some seconds of training. Changes and frees `model`. */
async function measureStep(model: Decoder, source: BatchSource): Promise<number> {
  model.trainable()
  const seconds: number[] = []
  const total = (): number => seconds.slice(WARM_UP).reduce((sum, value) => sum + value, 0)
  const stop = {
    get aborted() {
      return seconds.length >= WARM_UP + FEWEST_MEASURED && total() >= MEASURED_SECONDS
    },
  }
  const options = { steps: Number.MAX_SAFE_INTEGER, learningRate: 0, stop }
  try {
    for await (const event of train(model, source, languageModeling(), options))
      if (event.type === 'step-done') seconds.push(event.seconds)
  } finally {
    model.free()
  }
  return total() / (seconds.length - WARM_UP)
}
