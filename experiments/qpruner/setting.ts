// What the experiment works on: one kind of text in three parts that share no piece (training, calibration, evaluation), a tokenizer,
// and small Llamas pre-trained on the first part, one for each seed.
import type { Batch, BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { pretrainSmall, type SmallShape, tokenizerOf } from '../setting/small-llama.ts'
import { documentsOf, packed, piecesOf, windows } from '../setting/texts.ts'

export interface Size extends SmallShape {
  length: number
  batch: number
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
  const tokenizer = await tokenizerOf(prose, size)
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
    model: (seed) => pretrainSmall(size, tokenizer.vocabSize, source(seed), seed, say),
  }
}
