// Equal LoRA steps on a quantized base, from LoftQ's start and from zero.

import { addLora, attachAdapters, setAdapters } from '../../src/methods/lora/lora.ts'
import { QUANTIZERS, type Quantizer } from '../../src/methods/quantize/choices.ts'
import { type InPlaceOptions, quantizeAs, quantizeWithLoftq } from '../../src/methods/quantize/in-place.ts'
import { quantUnits } from '../../src/methods/quantize/units.ts'
import { Decoder } from '../../src/model/decoder.ts'
import type { QuantFormat } from '../../src/nn/quant/format.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import type { Setting } from './setting.ts'

const RANK = 8
const ALPHA = 16
export const LOFTQ_FORMATS: readonly QuantFormat[] = ['nf2', 'nf3']

export interface LoftqResult {
  seed: number
  quantizer: Quantizer
  format: QuantFormat
  start: 'zero' | 'LoftQ'
  /** Held-out loss before and after the steps, above the dense model's. */
  before: number
  after: number
}

export async function loftqArms(setting: Setting, dense: Decoder, seed: number): Promise<LoftqResult[]> {
  const results: LoftqResult[] = []
  const base = await lossOf(setting, dense)
  const steps = setting.size.tuneSteps
  const schedule = makeSchedule('cosine', { steps, warmupSteps: 0.05 })
  for (const quantizer of QUANTIZERS) {
    for (const format of LOFTQ_FORMATS) {
      for (const start of ['zero', 'LoftQ'] as const) {
        const model = copyOf(dense)
        const paths = quantUnits(model, 'matrix').map(({ name }) => name)
        const formats = new Map(paths.map((path) => [path, format]))
        await begin(model, { formats, quantizer, calibration: setting.calibration(seed) }, start, seed)
        const before = (await lossOf(setting, model)) - base
        const options = { steps, learningRate: 1e-3, schedule, seed }
        for await (const _ of train(model, setting.training(seed + 100), languageModeling(), options));
        results.push({ seed, quantizer, format, start, before, after: (await lossOf(setting, model)) - base })
        model.free()
      }
    }
  }
  return results
}

async function begin(
  model: Decoder,
  options: InPlaceOptions,
  start: LoftqResult['start'],
  seed: number,
): Promise<void> {
  if (start === 'zero') {
    await quantizeAs(model, options)
    addLora(model, { r: RANK, loraAlpha: ALPHA, seed })
    return
  }
  const starts = await quantizeWithLoftq(model, options, { rank: RANK, scale: ALPHA / RANK, seed })
  attachAdapters(
    model,
    'default',
    [...starts].map(([path, { A, B }]) => [
      path,
      { A, B, magnitude: null, alpha: ALPHA, useRslora: false, dropout: 0 },
    ]),
  )
  setAdapters(model, 'default')
}

function copyOf(dense: Decoder): Decoder {
  const parameters = new Map(dense.parameters())
  return new Decoder(dense.config, ({ path }) => parameters.get(path)!.detach().clone().keep())
}

async function lossOf({ evaluation }: Setting, model: Decoder): Promise<number> {
  const source = { batchesPerEpoch: evaluation.length, at: (index: number) => evaluation[index]! }
  return (await evaluate(model, source, languageModeling())).eval_loss!
}
