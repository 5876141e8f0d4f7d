// Prunes a copy of a model in every way to be compared, at equal shares of the blocks' parameters, and lets each recover by LoRA for the
// same number of steps.
import { addLora } from '../../src/methods/lora/lora.ts'
import type { PruneOptions } from '../../src/methods/prune/options.ts'
import { prune } from '../../src/methods/prune/prune.ts'
import { Decoder } from '../../src/model/decoder.ts'
import { noGrad, scope } from '../../src/torch/index.ts'
import { decoderInput, languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { heldOutLoss, type Setting } from './setting.ts'

export const RATIOS = [0.2, 0.5] as const
export const TARGETS = { mlp: ['mlp'], 'mlp + heads': ['mlp', 'heads'] } as const
export type TargetName = keyof typeof TARGETS

type ArmOptions = Pick<PruneOptions, 'importance' | 'compensate' | 'scope' | 'seed'>

/** Rows of the table; `random` has several draws, told apart by the seed. */
export const ARMS: readonly { name: string; options: ArmOptions }[] = [
  { name: 'Taylor element', options: { importance: 'taylor-element' } },
  { name: 'Taylor vector', options: { importance: 'taylor-vector' } },
  { name: 'Taylor second order', options: { importance: 'taylor-second' } },
  { name: 'Taylor mixed', options: { importance: 'taylor-mixed' } },
  { name: 'Taylor element, biases', options: { importance: 'taylor-element', compensate: true } },
  { name: 'FLAP', options: { importance: 'flap' } },
  { name: 'FLAP without biases', options: { importance: 'flap', compensate: false } },
  { name: 'FLAP, global', options: { importance: 'flap', scope: 'global' } },
  { name: 'L2', options: { importance: 'l2' } },
  { name: 'L1', options: { importance: 'l1' } },
  ...[1, 2].map((seed) => ({ name: 'random', options: { importance: 'random' as const, seed } })),
]

export interface Outcome {
  arm: string
  targets: TargetName | 'none'
  ratio: number
  seed: number
  parameters: number
  removedOfBlocks: number
  /** Held-out loss, nats per token: right after pruning, and after recovery. */
  pruned: number
  recovered: number
  tokensPerSecond: number
  scoringSeconds: number
}

/** One arm on a copy of `model`. `ratio` 0 gives the model itself, with the same training on top. */
export async function runArm(
  setting: Setting,
  model: Decoder,
  seed: number,
  arm: (typeof ARMS)[number],
  targets: TargetName | 'none',
  ratio: number,
): Promise<Outcome> {
  const copy = copyOf(model)
  const begun = performance.now()
  const source = setting.calibration(seed)
  const windows = Array.from({ length: setting.size.calibrationBatches }, (_, index) => source.at(index))
  const { report } = await prune(copy, windows, {
    ...arm.options,
    ratio,
    targets: targets === 'none' ? ['mlp'] : TARGETS[targets],
    layout: 'per-layer',
    protectFirst: 0,
    protectLast: 0,
  })
  const scoringSeconds = (performance.now() - begun) / 1000
  const pruned = await heldOutLoss(setting, copy)
  const tokensPerSecond = throughput(setting, copy)
  await recover(setting, copy, seed)
  const recovered = await heldOutLoss(setting, copy)
  copy.free()
  return {
    arm: arm.name,
    targets,
    ratio,
    seed,
    parameters: report.parameters_after,
    removedOfBlocks: report.removed_of_blocks,
    pruned,
    recovered,
    tokensPerSecond,
    scoringSeconds,
  }
}

function copyOf(model: Decoder): Decoder {
  const parameters = new Map(model.parameters())
  return new Decoder(model.config, ({ path }) => parameters.get(path)!.clone().keep())
}

async function recover({ size, training }: Setting, model: Decoder, seed: number): Promise<void> {
  addLora(model, { r: 8, loraAlpha: 16, seed })
  const steps = size.recoverySteps
  const options = { steps, learningRate: 3e-3, schedule: makeSchedule('cosine', { steps, warmupSteps: 0.05 }), seed }
  for await (const _ of train(model, training(100 + seed), languageModeling(), options));
}

/** Tokens a second of a forward pass without a graph, the best of three. */
function throughput({ evaluation }: Setting, model: Decoder): number {
  const batch = evaluation.at(0)
  const once = (): number => {
    const begun = performance.now()
    for (let i = 0; i < 3; i++) noGrad(() => scope(() => void model.hidden(decoderInput(batch, model.device))))
    return (3 * batch.rows * batch.length) / ((performance.now() - begun) / 1000)
  }
  return Math.max(once(), once(), once())
}
