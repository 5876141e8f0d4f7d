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
const AT_A_TIME = 64

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
  const model = await pretrainSmall(shape, tokenizer.vocabSize, source, seed, console.error)
  return { model, tokens: Math.round(tokens * epochs), epochs }
}

/** `recordAnswers`, many questions at a time; records in the order of the questions. */
export async function recordMany(
  model: Decoder,
  tokenizer: Tokenizer,
  questions: readonly GateQuestionRow[],
  options: AskOptions = {},
): Promise<GateRecord[]> {
  const lm = new Engine({ model, tokenizer, batchSize: AT_A_TIME })
  const parts = Array.from({ length: AT_A_TIME }, (_, part) => questions.filter((_, i) => i % AT_A_TIME === part))
  const found = await Promise.all(parts.map((part) => recordAnswers(lm, part, options)))
  lm.freeCache()
  return questions.map((_, i) => found[i % AT_A_TIME]![Math.floor(i / AT_A_TIME)]!)
}

/** What is read off a model for each question. */
export interface QuestionStates {
  /** Means over the question's tokens for each layer from 0, as `questionVector` gives them, [D] each. */
  means: Float32Array[]
  /** The state of the last token of `Q: … A:` after all blocks and the last norm, [D]. */
  answering: Float32Array
}

/** States of questions, all layers in one pass. */
export function questionStates(model: Decoder, tokenizer: Tokenizer, questions: readonly string[]): QuestionStates[] {
  const encode = (text: string): number[] => Array.from(tokenizer.encode(text, { addSpecialTokens: false }))
  return questions.map((question) => {
    const last = statesOf(model, encode(`Q: ${question} A:`)).at(-1)!
    return { means: statesOf(model, encode(question)).map(meanOf), answering: last.at(-1)! }
  })
}

/** States of one text after each layer from 0, [T][D] each; the last one is behind the last norm. */
function statesOf(model: Decoder, ids: readonly number[]): Float32Array[][] {
  return inference(() =>
    scope(() => {
      const inputIds = Tensor.from(BigInt64Array.from(ids, BigInt), [1, ids.length])
      const { states, call } = model.enter({ inputIds })
      const all = [states]
      for (const block of model.model.layers.keys()) all.push(model.runBlocks(all.at(-1)!, call, block, block + 1))
      all.push(model.model.norm.forward(all.pop()!))
      return all.map((tensor) => {
        const numbers = tensor.to('f32').data() as Float32Array
        const width = numbers.length / ids.length
        return ids.map((_, t) => numbers.slice(t * width, (t + 1) * width))
      })
    }),
  )
}

function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const sum = new Float64Array(vectors[0]!.length)
  for (const vector of vectors) for (const [j, value] of vector.entries()) sum[j]! += value
  return Float32Array.from(sum, (value) => value / vectors.length)
}
