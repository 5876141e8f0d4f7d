// Validation loss after tuning, for every arm and seed: DropBP at several rates, scalings and allocations, and plain training, also
// with only as many steps as take DropBP's time.

import { type DropBpOptions, dropbp } from '../../src/methods/dropbp/dropbp.ts'
import { gradientCosine } from '../../src/methods/dropbp/gradient-cosine.ts'
import { addLora } from '../../src/methods/lora/lora.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { scope } from '../../src/torch/index.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { pretrained, type Setting } from './setting.ts'

export const RATES = [0.5, 0.75, 0.875] as const
export const SCALINGS = [0, 0.5, 1] as const
export const LEARNING_RATES = { lora: 3e-3, full: 5e-4 } as const
export type Tuning = keyof typeof LEARNING_RATES

export interface Arm {
  name: string
  rate: number
  options: DropBpOptions | null
  /** Steps as a share of the other arms'. */
  share: number
}

/** `timeOf(rate)`: time of a step as a share of the plain step's, for the arm that trains fewer steps instead. */
export function armsFor(timeOf: (rate: number) => number): Arm[] {
  const arms: Arm[] = [{ name: 'plain', rate: 0, options: null, share: 1 }]
  for (const rate of RATES) {
    for (const scaling of SCALINGS)
      arms.push({ name: `uniform γ=${scaling}`, rate, options: { rate, allocation: 'uniform', scaling }, share: 1 })
    for (const allocation of ['water-filling', 'knapsack'] as const)
      for (const scaling of [0, 0.5])
        arms.push({ name: `${allocation} γ=${scaling}`, rate, options: { rate, allocation, scaling }, share: 1 })
    arms.push({ name: 'paper', rate, options: { rate, mode: 'paper' }, share: 1 })
    arms.push({ name: 'plain, same time', rate, options: null, share: timeOf(rate) })
  }
  return arms
}

/** The pre-trained model, ready to be tuned. */
export function tunable(setting: Setting, tuning: Tuning, seed: number): Decoder {
  const model = pretrained(setting)
  if (tuning === 'lora') addLora(model, { r: 8, loraAlpha: 16, seed })
  else model.trainable()
  return model
}

export interface Outcome {
  tuning: Tuning
  arm: string
  rate: number
  seed: number
  steps: number
  /** Held-out loss at the end, and along the way as [step, loss]. */
  loss: number
  curve: [number, number][]
  /** Share of the branches' FLOPs really dropped. */
  dropped: number
  seconds: number
  rates: number[] | null
  sensitivities: number[] | null
}

/** Tunes a fresh copy. Seeds decide the order of the data, the adapters' start and the masks. */
export async function tune(setting: Setting, tuning: Tuning, arm: Arm, seed: number): Promise<Outcome> {
  const model = tunable(setting, tuning, seed)
  const { size } = setting
  const steps = Math.max(2, Math.round(size.tuneSteps * arm.share))
  const rule = arm.options && dropbp({ ...arm.options, sequenceLength: size.length })(model)
  const curve: [number, number][] = []
  const fractions: number[] = []
  let seconds = 0
  for await (const event of train(model, setting.tune(seed), languageModeling(), {
    steps,
    learningRate: LEARNING_RATES[tuning],
    schedule: makeSchedule('cosine', { steps, warmupSteps: 0.05 }),
    gradientAccumulation: size.accumulation,
    seed,
    rules: rule ? [rule] : [],
  })) {
    if (event.type !== 'step-done') continue
    seconds += event.seconds
    fractions.push(event.metrics['dropbp/flop_fraction'] ?? 0)
    if (event.metrics.step % Math.ceil(steps / 3) === 0 || event.metrics.step === steps)
      curve.push([
        event.metrics.step,
        (await evaluate(model, setting.held, languageModeling(), { maxBatches: size.evaluationBatches })).eval_loss!,
      ])
  }
  model.free()
  return {
    tuning,
    arm: arm.name,
    rate: arm.rate,
    seed,
    steps,
    loss: curve.at(-1)![1],
    curve,
    dropped: fractions.reduce((a, b) => a + b, 0) / fractions.length,
    seconds,
    rates: rule && [...rule.rates],
    sensitivities: rule?.sensitivities ? [...rule.sensitivities] : null,
  }
}

export interface Cosine {
  tuning: Tuning
  rate: number
  scaling: number
  single: number
  averaged: number
}

/** Cosines of gradients under masks with the whole gradient, after a few plain steps (an untrained adapter passes no gradient to A). */
export async function cosines(setting: Setting, tuning: Tuning, masks: number): Promise<Cosine[]> {
  const model = tunable(setting, tuning, 0)
  const source = setting.tune(0)
  for await (const _ of train(model, source, languageModeling(), { steps: 20, learningRate: LEARNING_RATES[tuning] }));
  const parameters = Array.from(model.parameters(), ([, parameter]) => parameter).filter(
    ({ requiresGrad }) => requiresGrad,
  )
  const batch = source.at(20)
  const found: Cosine[] = []
  for (const rate of RATES) {
    for (const scaling of SCALINGS) {
      const rule = dropbp({ rate, scaling, allocation: 'uniform', sequenceLength: setting.size.length })(model)
      const cosine = scope(() =>
        gradientCosine({
          gates: rule.gates,
          parameters,
          generator: null,
          loss: () => languageModeling().forward(model, batch).loss,
          masks: Array.from({ length: masks }, (_, i) => rule.maskAt(i, 0)),
        }),
      )
      rule.remove!()
      found.push({ tuning, rate, scaling, ...cosine })
    }
  }
  model.free()
  return found
}
