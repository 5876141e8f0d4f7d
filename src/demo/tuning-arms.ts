// Several ways to fine-tune, compared fairly: the same start, the same batches, and one step of each in turn, so that whatever
// else the machine does costs all of them the same.

import type { BatchSource } from '../data/batch.ts'
import type { Decoder } from '../model/decoder.ts'
import type { Point } from '../report/series.ts'
import { memoryStats, resetPeakMemory } from '../torch/index.ts'
import { evaluate } from '../train/evaluate.ts'
import { languageModeling } from '../train/objective.ts'
import type { Rule } from '../train/rule.ts'
import { makeSchedule } from '../train/schedule.ts'
import { train } from '../train/train.ts'

/** One way: a model of which some parameters require a gradient, and the rules around its steps. */
export interface Arm {
  name: string
  model: Decoder
  rules: readonly Rule[]
}

/** What one arm did. */
export interface ArmHistory {
  name: string
  trainableParameters: number
  /** Loss of every training step. */
  loss: Point[]
  /** Held-out loss from before the first step to after the last. */
  heldOutLoss: Point[]
  /** Of the middle step. */
  secondsPerStep: number
  /** Of all steps together, what a rule measures between them included. */
  seconds: number
  /** What the middle step holds at its peak, above what was there before it. */
  peakBytes: number
}

export interface ArmOptions {
  steps: number
  learningRate: number
  seed: number
  /** Evaluations over the run. */
  evaluations: number
  onStep: (step: number) => void
}

/** Trains all arms side by side. */
export async function runArms(
  arms: readonly Arm[],
  batches: BatchSource,
  heldOut: BatchSource,
  { steps, learningRate, seed, evaluations, onStep }: ArmOptions,
): Promise<ArmHistory[]> {
  const starts: number[] = []
  for (const { model } of arms) starts.push((await evaluate(model, heldOut, languageModeling())).eval_loss!)
  const runs = arms.map(({ name, model, rules }, i) => {
    const events = train(model, batches, languageModeling(), {
      steps,
      learningRate,
      seed,
      rules,
      schedule: makeSchedule('cosine', { steps, warmupSteps: 0.05 }),
      evaluate: { batches: heldOut, every: steps / evaluations },
    })
    const start: Point = [0, starts[i]!]
    return {
      name,
      events,
      trainable: 0,
      loss: [] as Point[],
      heldOutLoss: [start],
      seconds: [] as number[],
      bytes: [] as number[],
    }
  })
  for (let open = runs; open.length > 0; ) {
    const going: typeof runs = []
    for (const run of open) {
      resetPeakMemory()
      const before = bytesNow().live
      const { value: event, done } = await run.events.next()
      if (done) continue
      going.push(run)
      if (event.type === 'run-start') run.trainable = event.trainableParameters
      if (event.type === 'evaluation-done') run.heldOutLoss.push([event.step, event.metrics.eval_loss!])
      if (event.type !== 'step-done') continue
      run.bytes.push(bytesNow().peak - before)
      run.seconds.push(event.seconds)
      run.loss.push([event.metrics.step, event.metrics.loss])
      onStep(event.metrics.step)
    }
    open = going
  }
  return runs.map(({ name, trainable, loss, heldOutLoss, seconds, bytes }) => ({
    name,
    trainableParameters: trainable,
    loss,
    heldOutLoss,
    secondsPerStep: middle(seconds),
    seconds: seconds.reduce((a, b) => a + b, 0),
    peakBytes: middle(bytes),
  }))
}

function bytesNow(): { live: number; peak: number } {
  const { liveBytes, peakBytes, cudaLiveBytes, cudaPeakBytes } = memoryStats()
  return { live: liveBytes + cudaLiveBytes, peak: peakBytes + cudaPeakBytes }
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
