// What the experiment works on: one kind of text in three parts, by file (for training, for calibration, for evaluation), a tokenizer,
// and small Llamas pre-trained on the first part, one for each seed.
import type { BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import type { PackedDataset } from '../../src/data/pack.ts'
import { readModelConfig } from '../../src/model/config.ts'
import { Decoder, initialise } from '../../src/model/decoder.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import { Generator } from '../../src/torch/index.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { documentsOf, packed } from '../shared/texts.ts'

export interface Size {
  layers: number
  hidden: number
  heads: number
  keyValueHeads: number
  feedForward: number
  vocabulary: number
  length: number
  batch: number
  pretrainSteps: number
  recoverySteps: number
  calibrationBatches: number
  evaluationBatches: number
  /** Most bytes of text. */
  textBytes: number
}

export const SIZES: Record<'full' | 'quick', Size> = {
  full: {
    layers: 12,
    hidden: 96,
    heads: 8,
    keyValueHeads: 4,
    feedForward: 256,
    vocabulary: 1024,
    length: 128,
    batch: 4,
    pretrainSteps: 1400,
    recoverySteps: 25,
    calibrationBatches: 32,
    evaluationBatches: 24,
    textBytes: 3e6,
  },
  quick: {
    layers: 6,
    hidden: 48,
    heads: 8,
    keyValueHeads: 4,
    feedForward: 128,
    vocabulary: 512,
    length: 64,
    batch: 4,
    pretrainSteps: 400,
    recoverySteps: 6,
    calibrationBatches: 8,
    evaluationBatches: 6,
    textBytes: 1e6,
  },
}

export interface Setting {
  size: Size
  /** Training batches, in an order that the seed decides. */
  training(seed: number): BatchSource
  /** Single windows, from files that are neither trained nor evaluated on. */
  calibration(seed: number): BatchSource
  evaluation: BatchSource
}

/** Reads and tokenizes. Without paths the text is the Markdown of node_modules. */
export async function prepare(size: Size, paths: readonly string[]): Promise<Setting> {
  const texts = await documentsOf(paths, ['node_modules', /\.md$/], size.textBytes)
  const { tokenizer } = await trainBpe(texts, {
    vocabSize: size.vocabulary,
    specialTokens: ['<|endoftext|>'],
    roles: { eos: '<|endoftext|>' },
  })
  // Of ten files one is for evaluation and one for calibration.
  const part = (wanted: (rest: number) => boolean): Promise<PackedDataset> =>
    packed(
      texts.filter((_, i) => wanted(i % 10)),
      tokenizer,
      size.length,
    )
  const [training, calibration, evaluation] = [
    await part((rest) => rest > 1),
    await part((rest) => rest === 1),
    await part((rest) => rest === 0),
  ]
  return {
    size,
    training: (seed) => batches(training, { batchSize: size.batch, seed }),
    calibration: (seed) => batches(calibration, { batchSize: 1, seed }),
    evaluation: batches(evaluation, { batchSize: size.batch, shuffle: true, seed: 1 }),
  }
}

/** A model of its own for each seed. */
export async function pretrain(setting: Setting, seed: number, say: (line: string) => void): Promise<Decoder> {
  const { size } = setting
  const config = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: size.vocabulary,
      hidden_size: size.hidden,
      intermediate_size: size.feedForward,
      num_hidden_layers: size.layers,
      num_attention_heads: size.heads,
      num_key_value_heads: size.keyValueHeads,
      max_position_embeddings: 1 << 16,
      tie_word_embeddings: true,
    },
    'config.json',
  )
  const model = new Decoder(config, initialise(config, new Generator(seed)))
  for (const [, parameter] of model.parameters()) parameter.requiresGrad = true
  const steps = size.pretrainSteps
  const begun = performance.now()
  for await (const event of train(model, setting.training(seed), languageModeling(), {
    steps,
    learningRate: 3e-3,
    schedule: makeSchedule('cosine', { steps, warmupSteps: 0.05 }),
    seed,
  }))
    if (event.type === 'step-done' && event.metrics.step % Math.ceil(steps / 4) === 0)
      say(`  seed ${seed} step ${event.metrics.step}: loss ${event.metrics.loss.toFixed(3)}`)
  for (const [, parameter] of model.parameters()) parameter.requiresGrad = false
  say(`  pre-trained in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
  return model
}

/** Held-out loss in nats per token. */
export function heldOutLoss({ evaluation, size }: Setting, model: Decoder): number {
  return evaluate(model, evaluation, languageModeling(), { maxBatches: size.evaluationBatches }).eval_loss!
}
