// What the experiment works on: a small Llama pre-trained here, or a model directory, with calibration windows and held-out windows of
// other documents. Everything follows from the options and the seed.
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import type { Batch, BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { Tokenizer } from '../../src/text/tokenizer.ts'
import type { DType } from '../../src/torch/index.ts'
import { pretrainSmall, type SmallShape, tokenizerOf } from '../setting/small-llama.ts'
import { documentsOf, packed, piecesOf, windows } from '../setting/texts.ts'

export interface Size extends SmallShape {
  length: number
  batch: number
  /** Most bytes of each text. */
  textBytes: number
  calibrationWindows: number
  evaluationWindows: number
  randomDraws: number
}

export const SIZES: Record<'full' | 'quick', Size> = {
  full: {
    layers: 12,
    hidden: 96,
    feedForward: 256,
    vocabulary: 1024,
    length: 128,
    batch: 4,
    pretrainSteps: 2200,
    textBytes: 4e6,
    calibrationWindows: 64,
    evaluationWindows: 192,
    randomDraws: 6,
  },
  quick: {
    layers: 6,
    hidden: 48,
    feedForward: 128,
    vocabulary: 512,
    length: 64,
    batch: 4,
    pretrainSteps: 80,
    textBytes: 3e5,
    calibrationWindows: 8,
    evaluationWindows: 16,
    randomDraws: 2,
  },
}

export interface Paths {
  pretrain: string[]
  calibrate: string[]
  evaluate: string[]
}

export interface Setting {
  /** The model of a seed; for a model directory always the same. */
  model(seed: number): Promise<Decoder>
  /** Calibration windows, drawn under the seed. */
  calibration(seed: number): Batch[]
  /** Held-out windows; the same for every seed. */
  held: BatchSource
  /** What the seed decides. */
  seeds: string
}

/** Without paths, all text is the Markdown of node_modules; one piece in ten is for calibration and one in ten is held out. */
export async function prepareSmall(size: Size, paths: Paths, say: (line: string) => void): Promise<Setting> {
  const [prose, ownCalibration, ownHeld] = await textsOf(size, paths)
  const tokenizer = await tokenizerOf(prose, size)
  const [training, calibration, held] = [
    await packed(prose, tokenizer, size.length),
    await packed(ownCalibration, tokenizer, size.length),
    await packed(ownHeld, tokenizer, size.length),
  ]
  return {
    seeds: 'start of pre-training, order of its batches, and calibration windows',
    model: (seed) =>
      pretrainSmall(size, tokenizer.vocabSize, batches(training, { batchSize: size.batch, seed }), seed, say),
    calibration: (seed) => windows(calibration, size.calibrationWindows, seed, size.batch),
    held: sourceOf(windows(held, size.evaluationWindows, 0, size.batch)),
  }
}

/** A model directory with a tokenizer. */
export async function prepareGiven(
  directory: string,
  size: Size,
  paths: Paths,
  { device, dtype }: { device: string; dtype: DType },
): Promise<Setting> {
  const tokenizer = await Tokenizer.fromDirectory(directory)
  const [, calibration, held] = await textsOf(size, paths)
  const [forCalibration, forEvaluation] = [
    await packed(calibration, tokenizer, size.length),
    await packed(held, tokenizer, size.length),
  ]
  return {
    seeds: 'calibration windows',
    model: async () => loadDecoder(directory, { device, dtype }),
    calibration: (seed) => windows(forCalibration, size.calibrationWindows, seed, size.batch),
    held: sourceOf(windows(forEvaluation, size.evaluationWindows, 0, size.batch)),
  }
}

/** Texts for pre-training, calibration and evaluation, of which no two share a piece unless they are given the same files. */
async function textsOf(
  { textBytes }: Size,
  { pretrain, calibrate, evaluate }: Paths,
): Promise<[string[], string[], string[]]> {
  const pieces = piecesOf(await documentsOf(pretrain, ['node_modules', /\.md$/], textBytes))
  const share = (remainders: number[]): string[] => pieces.filter((_, i) => remainders.includes(i % 10))
  const given = async (paths: string[], otherwise: string[]): Promise<string[]> =>
    paths.length === 0 ? otherwise : piecesOf(await documentsOf(paths, ['.', /$^/], textBytes))
  return [share([2, 3, 4, 5, 6, 7, 8, 9]), await given(calibrate, share([1])), await given(evaluate, share([0]))]
}

function sourceOf(list: readonly Batch[]): BatchSource {
  return { batchesPerEpoch: list.length, at: (index) => list[index % list.length]! }
}
