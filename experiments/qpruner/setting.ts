// What the experiment works on: one kind of text in three parts that share no piece (training, calibration, evaluation), a tokenizer,
// and small Llamas pre-trained on the first part, one for each seed.
import type { Batch, BatchSource } from '../../src/data/batch.ts'
import { batches, stack } from '../../src/data/batches.ts'
import { order } from '../../src/data/order.ts'
import type { PackedDataset } from '../../src/data/pack.ts'
import { readModelConfig } from '../../src/model/config.ts'
import { Decoder, initialise } from '../../src/model/decoder.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import { Generator } from '../../src/torch/index.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { documentsOf, packed, piecesOf } from '../shared/texts.ts'

export interface Size {
  layers: number
  hidden: number
  feedForward: number
  vocabulary: number
  length: number
  batch: number
  pretrainSteps: number
  tuneSteps: number
  evaluations: number
  calibrationWindows: number
  evaluationWindows: number
  /** Most bytes of text. */
  textBytes: number
}

export const SIZES: Record<'full' | 'quick', Size> = {
  full: {
    layers: 12,
    hidden: 96,
    feedForward: 256,
    vocabulary: 1024,
    length: 128,
    batch: 8,
    pretrainSteps: 700,
    tuneSteps: 60,
    evaluations: 40,
    calibrationWindows: 32,
    evaluationWindows: 96,
    textBytes: 4e6,
  },
  quick: {
    layers: 6,
    hidden: 48,
    feedForward: 128,
    vocabulary: 512,
    length: 64,
    batch: 8,
    pretrainSteps: 60,
    tuneSteps: 5,
    evaluations: 12,
    calibrationWindows: 8,
    evaluationWindows: 16,
    textBytes: 3e5,
  },
}

export interface Setting {
  size: Size
  /** Training batches, in an order that the seed decides. */
  training(seed: number): BatchSource
  /** Windows drawn under the seed. */
  calibration(seed: number): Batch[]
  /** The same windows for every seed. */
  evaluation: Batch[]
  /** A model of its own for each seed. */
  model(seed: number): Promise<Decoder>
}

/** Reads and tokenizes. Without paths the text is the Markdown of node_modules. */
export async function prepare(size: Size, paths: readonly string[], say: (line: string) => void): Promise<Setting> {
  const pieces = piecesOf(await documentsOf(paths, ['node_modules', /\.md$/], size.textBytes))
  const part = (wanted: (rest: number) => boolean): string[] => pieces.filter((_, i) => wanted(i % 10))
  const prose = part((rest) => rest > 1)
  const { tokenizer } = await trainBpe(prose, {
    vocabSize: size.vocabulary,
    specialTokens: ['<|endoftext|>'],
    roles: { eos: '<|endoftext|>' },
  })
  const [training, calibration, evaluation] = [
    await packed(prose, tokenizer, size.length),
    await packed(
      part((rest) => rest === 1),
      tokenizer,
      size.length,
    ),
    await packed(
      part((rest) => rest === 0),
      tokenizer,
      size.length,
    ),
  ]
  const source = (seed: number): BatchSource => batches(training, { batchSize: size.batch, seed })
  return {
    size,
    training: source,
    calibration: (seed) => windows(calibration, size.calibrationWindows, seed, size.batch),
    evaluation: windows(evaluation, size.evaluationWindows, 0, size.batch),
    model: (seed) => pretrain(size, tokenizer.vocabSize, source(seed), seed, say),
  }
}

async function pretrain(
  size: Size,
  vocabSize: number,
  source: BatchSource,
  seed: number,
  say: (line: string) => void,
): Promise<Decoder> {
  const config = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: vocabSize,
      hidden_size: size.hidden,
      intermediate_size: size.feedForward,
      num_hidden_layers: size.layers,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 4096,
      tie_word_embeddings: true,
    },
    'config.json',
  )
  const model = new Decoder(config, initialise(config, new Generator(seed)))
  for (const [, parameter] of model.parameters()) parameter.requiresGrad = true
  const steps = size.pretrainSteps
  for await (const event of train(model, source, languageModeling(), {
    steps,
    learningRate: 3e-3,
    schedule: makeSchedule('cosine', { steps, warmupSteps: 0.05 }),
    seed,
  }))
    if (event.type === 'step-done' && event.metrics.step % Math.ceil(steps / 4) === 0)
      say(`  seed ${seed} step ${event.metrics.step}: loss ${event.metrics.loss.toFixed(3)}`)
  for (const [, parameter] of model.parameters()) parameter.requiresGrad = false
  return model
}

function windows(dataset: PackedDataset, count: number, seed: number, rows: number): Batch[] {
  const shuffled = order(dataset.length, seed)
  const drawn = Array.from({ length: Math.min(count, dataset.length) }, (_, i) => dataset.get(shuffled(0, i)))
  return Array.from({ length: Math.ceil(drawn.length / rows) }, (_, i) => stack(drawn.slice(i * rows, (i + 1) * rows)))
}
