// What the experiment works on: one kind of text in three parts, by file (for training, for calibration, for evaluation), a tokenizer,
// and small Llamas pre-trained on the first part, one for each seed.
import type { BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import type { PackedDataset } from '../../src/data/packing/pack.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { pretrainSmall, type SmallShape, tokenizerOf } from '../setting/small-llama.ts'
import { documentsOf, packed } from '../setting/texts.ts'

export interface Size extends SmallShape {
  length: number
  batch: number
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
  const tokenizer = await tokenizerOf(texts, size)
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
export function pretrain({ size, training }: Setting, seed: number, say: (line: string) => void): Promise<Decoder> {
  return pretrainSmall(size, size.vocabulary, training(seed), seed, say)
}

/** Held-out loss in nats per token. */
export async function heldOutLoss({ evaluation, size }: Setting, model: Decoder): Promise<number> {
  const found = await evaluate(model, evaluation, languageModeling(), { maxBatches: size.evaluationBatches })
  return found.eval_loss!
}
