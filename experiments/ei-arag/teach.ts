// Models of these experiments: texts stay whole and do not see each other, and every question is asked both ways.
// Shapes: T tokens, D hidden.

import { IGNORE_INDEX } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import { packSamples } from '../../src/data/packing/pack-samples.ts'
import type { Sample } from '../../src/data/sample.ts'
import type { GateRecord } from '../../src/eval/gates/gate-record.ts'
import { Engine } from '../../src/infer/engine.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import type { GateQuestionRow } from '../../src/run/gate/gate-questions.ts'
import { type AskOptions, recordAnswers } from '../../src/run/gate/record-answers.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'
import { inference, scope, Tensor } from '../../src/torch/index.ts'
import { pretrainSmall, type SmallShape } from '../setting/small-llama.ts'

/** Sequences that are asked at a time. */
const AT_A_TIME = { cpu: 64, cuda: 256 } as const

/** How texts become steps. */
export interface Lessons {
  /** Tokens of a row, and rows of a step. */
  length: number
  rows: number
}

/** A text to learn, behind a prompt that is read and not learnt. */
export interface Lesson {
  prompt?: string
  text: string
}

/** What a training took. */
export interface Taught {
  model: Decoder
  tokens: number
  epochs: number
  /** Of the steps alone. */
  seconds: number
}

/**
 * A Llama of the shape, taught the lessons: each one whole (cut at the length of a row), with the end of text behind it, and blind to its
 * neighbours in a row.
 */
export async function teach(
  lessons: readonly Lesson[],
  tokenizer: Tokenizer,
  shape: SmallShape,
  { length, rows }: Lessons,
  seed: number,
): Promise<Taught> {
  const samples = lessons.map(({ prompt = '', text }): Sample => {
    const [before, own] = [prompt, text].map((part) => tokenizer.encode(part, { addSpecialTokens: false }))
    const ids = Int32Array.from([...before!, ...own!, tokenizer.eosTokenId!]).slice(0, length)
    const labels = ids.slice()
    return { ids, labels: labels.fill(IGNORE_INDEX, 0, before!.length) }
  })
  const source = batches(packSamples({ length: samples.length, get: (i) => samples[i]! }, length), {
    batchSize: rows,
    seed,
  })
  const tokens = samples.reduce((sum, { ids }) => sum + ids.length, 0)
  const epochs = shape.pretrainSteps / source.batchesPerEpoch
  const began = performance.now()
  const model = await pretrainSmall(shape, tokenizer.vocabSize, source, seed, console.error)
  return { model, tokens: Math.round(tokens * epochs), epochs, seconds: (performance.now() - began) / 1000 }
}

/** `recordAnswers`, many questions at a time; records in the order of the questions. */
export async function recordMany(
  model: Decoder,
  tokenizer: Tokenizer,
  questions: readonly GateQuestionRow[],
  options: AskOptions = {},
): Promise<GateRecord[]> {
  const atATime = AT_A_TIME[model.device === 'cpu' ? 'cpu' : 'cuda']
  const lm = new Engine({
    model,
    tokenizer,
    batchSize: atATime,
    ...(model.device !== 'cpu' && { cacheTokens: 1 << 17 }),
  })
  const parts = Array.from({ length: atATime }, (_, part) => questions.filter((_, i) => i % atATime === part))
  const found = await Promise.all(parts.map((part) => recordAnswers(lm, part, options)))
  lm.freeCache()
  return questions.map((_, i) => found[i % atATime]![Math.floor(i / atATime)]!)
}

/** What is read off a model for each question. */
export interface QuestionStates {
  /** Means over the question's tokens for each layer that is asked for, as `questionVector` gives them, [D] each. */
  means: Float32Array[]
  /** The state of the last token of `Q: … A:` after all blocks and the last norm, [D]. */
  answering: Float32Array
}

/** States of questions after `layers` (default: each from 0), in one pass; on a GPU those of equal length together. */
export function questionStates(
  model: Decoder,
  tokenizer: Tokenizer,
  questions: readonly string[],
  layers: readonly number[] = [...model.model.layers.keys(), model.model.layers.length],
): QuestionStates[] {
  const together = model.device === 'cpu' ? 1 : AT_A_TIME.cuda
  const encode = (text: string): number[] => Array.from(tokenizer.encode(text, { addSpecialTokens: false }))
  const read = <T>(texts: readonly string[], depths: readonly number[], of: (states: Float32Array[]) => T): T[][] => {
    const found: T[][] = []
    for (const places of equallyLong(texts.map(encode), together)) {
      const all = statesOf(
        model,
        places.map(({ ids }) => ids),
        depths,
      )
      for (const [row, { place }] of places.entries()) found[place] = all.map((layer) => of(layer[row]!))
    }
    return found
  }
  const last = read(
    questions.map((question) => `Q: ${question} A:`),
    [model.model.layers.length],
    (states) => states.at(-1)!,
  )
  return read(questions, layers, meanOf).map((means, i) => ({ means, answering: last[i]![0]! }))
}

/** Texts with their places, no more than `most` of one length at a time. */
function equallyLong(texts: readonly number[][], most: number): { place: number; ids: number[] }[][] {
  const byLength = new Map<number, { place: number; ids: number[] }[]>()
  for (const [place, ids] of texts.entries()) {
    const same = byLength.get(ids.length) ?? []
    byLength.set(ids.length, same)
    same.push({ place, ids })
  }
  return [...byLength.values()].flatMap((same) =>
    Array.from({ length: Math.ceil(same.length / most) }, (_, k) => same.slice(k * most, (k + 1) * most)),
  )
}

/** States of equally long texts after each of `depths`, [B][T][D] each; after all blocks, behind the last norm. */
function statesOf(model: Decoder, texts: readonly number[][], depths: readonly number[]): Float32Array[][][] {
  const length = texts[0]!.length
  const blocks = model.model.layers.length
  return inference(() =>
    scope(() => {
      const inputIds = Tensor.from(BigInt64Array.from(texts.flat(), BigInt), [texts.length, length]).to(model.device)
      const { states, call } = model.enter({ inputIds })
      const all = [states]
      for (let block = 0; block < blocks; block++) all.push(model.runBlocks(all.at(-1)!, call, block, block + 1))
      all.push(model.model.norm.forward(all.pop()!))
      return depths.map((depth) => {
        const numbers = all[depth]!.to('f32').data() as Float32Array
        const width = numbers.length / (texts.length * length)
        return texts.map((ids, b) =>
          ids.map((_, t) => numbers.slice((b * length + t) * width, (b * length + t + 1) * width)),
        )
      })
    }),
  )
}

function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const sum = new Float64Array(vectors[0]!.length)
  for (const vector of vectors) for (const [j, value] of vector.entries()) sum[j]! += value
  return Float32Array.from(sum, (value) => value / vectors.length)
}
