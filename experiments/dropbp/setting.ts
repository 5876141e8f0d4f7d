// What the experiment works on: two kinds of text, a tokenizer for both, and a small Llama pre-trained on the first kind, to be tuned
// on the second. Everything follows from the options and the seed.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadDecoder } from '../../src/checkpoint/load.ts'
import { saveDecoder } from '../../src/checkpoint/save.ts'
import type { BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import { packDocuments } from '../../src/data/pack.ts'
import { readDocuments } from '../../src/data/sources.ts'
import { readModelConfig } from '../../src/model/config.ts'
import { Decoder, initialise } from '../../src/model/decoder.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'
import { Generator } from '../../src/torch/index.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'

export interface Size {
  layers: number
  hidden: number
  feedForward: number
  vocabulary: number
  length: number
  batch: number
  pretrainSteps: number
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
  const { tokenizer } = await trainBpe(texts.flat(), {
    vocabSize: size.vocabulary,
    specialTokens: ['<|endoftext|>'],
    roles: { eos: '<|endoftext|>' },
  })
  const [prose, code] = [await corpus(texts[0], tokenizer, size), await corpus(texts[1], tokenizer, size)]
  const config = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: tokenizer.vocabSize,
      hidden_size: size.hidden,
      intermediate_size: size.feedForward,
      num_hidden_layers: size.layers,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 1 << 16,
      tie_word_embeddings: true,
    },
    'config.json',
  )
  const model = new Decoder(config, initialise(config, new Generator(0)))
  for (const [, parameter] of model.parameters()) parameter.requiresGrad = true
  say(`pre-training ${size.pretrainSteps} steps`)
  const schedule = makeSchedule('cosine', { steps: size.pretrainSteps, warmupSteps: 0.05 })
  for await (const event of train(model, prose.train(0), languageModeling(), {
    steps: size.pretrainSteps,
    learningRate: 3e-3,
    schedule,
  }))
    if (event.type === 'step-done' && event.metrics.step % 100 === 0)
      say(`  step ${event.metrics.step}: loss ${event.metrics.loss.toFixed(3)}`)
  const lossOn = (held: BatchSource): number =>
    evaluate(model, held, languageModeling(), { maxBatches: size.evaluationBatches }).eval_loss!
  const before = { tune: lossOn(code.held), pretrain: lossOn(prose.held) }
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

async function documentsOf(paths: string[], [folder, name]: [string, RegExp], most: number): Promise<string[]> {
  const texts: string[] = []
  let bytes = 0
  const add = (text: string): boolean => {
    texts.push(text)
    bytes += text.length
    return bytes >= most
  }
  if (paths.length > 0) {
    for await (const { text } of readDocuments(paths)) if (add(text)) break
    return texts
  }
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  for (const file of files.filter((path) => name.test(path)).sort())
    if (add(readFileSync(join(folder, file), 'utf8'))) break
  return texts
}

/** One document in ten is held out. Long texts are cut, so that there are documents to choose from. */
async function corpus(
  texts: string[],
  tokenizer: Tokenizer,
  size: Size,
): Promise<{ train: (seed: number) => BatchSource; held: BatchSource }> {
  const pieces = texts.flatMap((text) => text.match(/[\s\S]{1,2000}/gu) ?? [])
  const encoder = {
    encode: (text: string) => tokenizer.encode(text, { addSpecialTokens: false }),
    eosTokenId: tokenizer.eosTokenId,
    bosTokenId: undefined,
    vocabSize: tokenizer.vocabSize,
  }
  const pack = (held: boolean): ReturnType<typeof packDocuments> =>
    packDocuments(
      pieces.filter((_, i) => (i % 10 === 0) === held).map((text) => ({ text })),
      encoder,
      { blockLength: size.length, dropShortBlock: true },
    )
  const [rest, held] = [await pack(false), await pack(true)]
  return {
    train: (seed) => batches(rest, { batchSize: size.batch, seed }),
    held: batches(held, { batchSize: size.batch, shuffle: true, seed: 1 }),
  }
}
