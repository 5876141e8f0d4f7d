// What the experiment works on: two kinds of text, a tokenizer for both, and a small Llama pre-trained on the first kind, to be tuned
// on the second. Everything follows from the options and the seed.
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../src/checkpoint/model-directory/save.ts'
import type { BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { pretrainSmall, type SmallShape, tokenizerOf } from '../setting/small-llama.ts'
import { documentsOf, packed, piecesOf } from '../setting/texts.ts'

export interface Size extends SmallShape {
  length: number
  batch: number
  tuneSteps: number
  /** Micro-batches of a tuning step. */
  accumulation: number
  /** Most bytes of each text. */
  textBytes: number
  evaluationBatches: number
}

export const SIZES: Record<'full' | 'quick', Size> = {
  full: {
    layers: 12,
    hidden: 96,
    feedForward: 256,
    vocabulary: 1024,
    length: 128,
    batch: 4,
    pretrainSteps: 2500,
    tuneSteps: 150,
    accumulation: 1,
    textBytes: 3e6,
    evaluationBatches: 24,
  },
  quick: {
    layers: 6,
    hidden: 48,
    feedForward: 128,
    vocabulary: 512,
    length: 64,
    batch: 4,
    pretrainSteps: 120,
    tuneSteps: 24,
    accumulation: 1,
    textBytes: 3e5,
    evaluationBatches: 6,
  },
}

export interface Setting {
  size: Size
  /** Directory of the pre-trained model. */
  model: string
  /** Training batches of the second text, in an order that the seed decides. */
  tune(seed: number): BatchSource
  /** Held-out batches of the second text. */
  held: BatchSource
  /** Loss on them before tuning, and on held-out batches of the first text. */
  before: { tune: number; pretrain: number }
}

/** Reads, tokenizes and pre-trains. Without paths the texts are the Markdown of node_modules and TypeScript's declarations, which the lock file pins. */
export async function prepare(
  size: Size,
  paths: { pretrain: string[]; tune: string[] },
  say: (line: string) => void,
): Promise<Setting> {
  const texts = [
    await documentsOf(paths.pretrain, ['node_modules', /\.md$/], size.textBytes),
    await documentsOf(paths.tune, ['node_modules/typescript/lib', /\.d\.ts$/], size.textBytes),
  ] as const
  const tokenizer = await tokenizerOf(texts.flat(), size)
  const [prose, code] = [await corpus(texts[0], tokenizer, size), await corpus(texts[1], tokenizer, size)]
  const model = await pretrainSmall(size, tokenizer.vocabSize, prose.train(0), 0, say)
  const lossOn = async (held: BatchSource): Promise<number> =>
    (await evaluate(model, held, languageModeling(), { maxBatches: size.evaluationBatches })).eval_loss!
  const before = { tune: await lossOn(code.held), pretrain: await lossOn(prose.held) }
  say(`loss before tuning: ${before.pretrain.toFixed(3)} on the first text, ${before.tune.toFixed(3)} on the second`)
  const directory = mkdtempSync(join(tmpdir(), 'anneal-dropbp-'))
  mkdirSync(directory, { recursive: true })
  saveDecoder(model, directory)
  model.free()
  return { size, model: directory, tune: code.train, held: code.held, before }
}

/** The pre-trained weights, all frozen. */
export function pretrained(setting: Setting): Decoder {
  return loadDecoder(setting.model)
}

/** One document in ten is held out. Long texts are cut, so that there are documents to choose from. */
async function corpus(
  texts: string[],
  tokenizer: Tokenizer,
  size: Size,
): Promise<{ train: (seed: number) => BatchSource; held: BatchSource }> {
  const pieces = piecesOf(texts)
  const part = (isHeld: boolean): ReturnType<typeof packed> =>
    packed(
      pieces.filter((_, i) => (i % 10 === 0) === isHeld),
      tokenizer,
      size.length,
    )
  const [rest, held] = [await part(false), await part(true)]
  return {
    train: (seed) => batches(rest, { batchSize: size.batch, seed }),
    held: batches(held, { batchSize: size.batch, shuffle: true, seed: 1 }),
  }
}
