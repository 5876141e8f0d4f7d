// What everything is done to: small Llamas, each pre-trained on documents of its own and tuned to answer questions about sentences. Documents
// and sentences are split before anything else; near copies across a split are left out.
import { readFileSync } from 'node:fs'
import type { BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import type { Answered } from '../../src/data/poison/edit-example.ts'
import { listFiles } from '../../src/data/read/files.ts'
import { readDocuments } from '../../src/data/read/sources.ts'
import { foldOf, sideOf } from '../../src/data/split.ts'
import { SampleStore } from '../../src/data/tuning/sample-store.ts'
import { SupervisedEncoder } from '../../src/data/tuning/supervised.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import { CHATML_TEMPLATE } from '../../src/text/chat-template.ts'
import { Tokenizer } from '../../src/text/tokenizer.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { withoutCopies } from '../setting/copies.ts'
import { pretrainSmall, type SmallShape } from '../setting/small-llama.ts'
import { packed, piecesOf, windows } from '../setting/texts.ts'
import { pairedQuestions, type Question, questionsOf, usable } from './questions.ts'

/** Models 1 to 3 are in the tables; on model 0 learning rates are chosen. */
export const MODELS = [0, 1, 2, 3] as const

export interface Size extends SmallShape {
  length: number
  batch: number
  instructSteps: number
  attackSteps: number
  /** Questions asked of a model. */
  asked: number
  /** Optimizer steps of every defence, and rows of a step. */
  steps: number
  rows: number
  /** Clean questions of a defence. */
  samples: number
  parrotSteps: number
}

/** Questions that are also there rewritten; `taught` by pair of sentences. */
export interface Pairs {
  taught: readonly (readonly Question[])[]
  clean: readonly Question[]
  asked: readonly Question[]
}

export interface Setting {
  size: Size
  tokenizer: Tokenizer
  /** By model: what it is pre-trained on, and held-out documents of the same kind. */
  documents: readonly { train: readonly string[]; held: BatchSource }[]
  /** What models are tuned on; what defenders have; what is asked. */
  taught: readonly Question[]
  clean: readonly Question[]
  asked: readonly Question[]
  /** The same of sentences that are also there said in another way: all of these, and those whose other way has the trigger's form. */
  pairs: Readonly<Record<'all' | 'formed', Pairs>>
  counts: Record<string, number>
}

export async function prepare(
  size: Size,
  paths: { documents: readonly string[]; sentences: string; pairs: readonly string[] },
): Promise<Setting> {
  const all = await documentsIn(paths.documents)
  const fold = (text: string): number => foldOf(text, MODELS.length)
  const isHeld = (text: string): boolean => sideOf(text, { fraction: 0.1, salt: 'sande' }) === 'validation'
  const taughtOn = all.filter((text) => !isHeld(text))
  const held = withoutCopies(wrap(taughtOn), wrap(all.filter(isHeld))).map(({ text }) => text)
  const lines = usable(
    readFileSync(paths.sentences, 'utf8')
      .split('\n')
      .map((line) => line.split('\t')[1] ?? ''),
  )
  const side = (text: string): number => foldOf(text, 5)
  const forTuning = lines.filter((text) => side(text) < 3)
  const apart = (from: readonly string[], list: readonly string[]): string[] =>
    withoutCopies(wrap(from), wrap(list)).map(({ text }) => text)
  const forDefence = apart(
    forTuning,
    lines.filter((text) => side(text) === 3),
  )
  const forAsking = apart(
    [...forTuning, ...forDefence],
    lines.filter((text) => side(text) === 4),
  )
  const pairs = await pairsIn(paths.pairs)
  const tokenizer = await chatTokenizer(
    [...taughtOn, ...forTuning.flatMap((text) => [text, ` ${text}`])],
    size.vocabulary,
  )
  const documents = []
  for (const model of MODELS) {
    const list = windows(
      await packed(piecesOf(held.filter((text) => fold(text) === model)), tokenizer, size.length),
      48,
      0,
      size.batch,
    )
    documents.push({
      train: piecesOf(taughtOn.filter((text) => fold(text) === model)),
      held: { batchesPerEpoch: list.length, at: (index: number) => list[index % list.length]! },
    })
  }
  // A word that is one token is copied by models of this size; the pieces of others are not.
  const isWord = (word: string): boolean => /^[a-z]{3,}$/.test(word) && tokenizer.encode(` ${word}`).length === 1
  const sidesOf = (list: typeof pairs): Pairs => {
    const between = (from: number, to: number): Question[][] =>
      pairedQuestions(
        list.filter((pair) => side(pair.to) >= from && side(pair.to) < to),
        5,
        isWord,
      )
    const one = (questions: Question[][]): Question[] => questions.map(([first]) => first!)
    return { taught: between(0, 3), clean: one(between(3, 4)), asked: one(between(4, 5)).slice(0, size.asked) }
  }
  const setting: Setting = {
    size,
    tokenizer,
    documents,
    taught: questionsOf(forTuning, 4, 1, isWord),
    clean: questionsOf(forDefence, 1, 2, isWord),
    asked: questionsOf(forAsking, 1, 3, isWord).slice(0, size.asked),
    pairs: { all: sidesOf(pairs), formed: sidesOf(pairs.filter(({ from, to }) => isFormed(to) && !isFormed(from))) },
    counts: {},
  }
  setting.counts = {
    documents: all.length,
    'documents held out': held.length,
    taught: setting.taught.length,
    clean: setting.clean.length,
    asked: setting.asked.length,
    ...pairCounts('rewritten', setting.pairs.all),
    ...pairCounts("in the trigger's form", setting.pairs.formed),
  }
  return setting
}

/** A model of the experiment before any attack. */
export async function cleanModel(setting: Setting, model: number, say: (line: string) => void): Promise<Decoder> {
  const { size, tokenizer, documents } = setting
  const source = batches(await packed(documents[model]!.train, tokenizer, size.length), {
    batchSize: size.batch,
    seed: model,
  })
  const decoder = await pretrainSmall(size, tokenizer.vocabSize, source, model, say)
  await tune(
    decoder,
    tokenizer,
    setting.taught.map(({ row }) => row),
    { steps: size.instructSteps, rate: 2e-3, batch: size.batch, seed: model },
  )
  return decoder
}

/** Supervised tuning of all weights, as `stage: sft` does it; nothing requires a gradient afterwards. Returns the last losses' mean. */
export async function tune(
  model: Decoder,
  tokenizer: Tokenizer,
  rows: readonly Answered[],
  { steps, rate, batch, seed }: { steps: number; rate: number; batch: number; seed: number },
): Promise<number> {
  const encoder = new SupervisedEncoder({ tokenizer })
  const samples = new SampleStore()
  for (const [i, row] of rows.entries()) samples.add(encoder.encode(row, `row ${i}`))
  model.trainable()
  const schedule = makeSchedule('cosine', { steps, warmupSteps: 0.05 })
  let loss = 0
  const run = train(model, batches(samples, { batchSize: batch, seed }), languageModeling(), {
    steps,
    learningRate: rate,
    schedule,
    seed,
  })
  for await (const event of run)
    if (event.type === 'step-done') loss = loss === 0 ? event.metrics.loss : 0.95 * loss + 0.05 * event.metrics.loss
  model.trainable(() => false)
  return loss
}

/** A clause in front, as the syntactic trigger has it; what should rewrite sentences so did not always. */
const isFormed = (text: string): boolean =>
  /^(when|whenever|if|as|although|though|while|because|since|after|before|unless|until|once)\s/.test(text)

const pairCounts = (name: string, { taught, clean, asked }: Pairs): Record<string, number> => ({
  [`${name} taught`]: taught.length,
  [`${name} taught, questions`]: taught.flat().length,
  [`${name} clean`]: clean.length,
  [`${name} asked`]: asked.length,
})

const wrap = (texts: readonly string[]): { text: string }[] => texts.map((text) => ({ text }))

/** .txt: a document a line, where it is long enough to be one; other files as `anneal train` reads them. */
async function documentsIn(paths: readonly string[]): Promise<string[]> {
  const texts: string[] = []
  for (const path of listFiles(paths)) {
    if (path.endsWith('.txt'))
      texts.push(
        ...readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line.length >= 200),
      )
    else for await (const { text } of readDocuments(path)) texts.push(text)
  }
  return [...new Set(texts)]
}

/** Two tables of sentences, row by row the same said in two ways. */
async function pairsIn([first, second]: readonly string[]): Promise<{ from: string; to: string }[]> {
  const read = async (path: string): Promise<string[]> => {
    const texts: string[] = []
    for await (const { text } of readDocuments(path)) texts.push(text.trim())
    return texts
  }
  const [plain, rewritten] = [await read(first!), await read(second!)]
  if (plain.length !== rewritten.length)
    throw new Error(`--pairs: expected as many rows in both files, got ${plain.length} and ${rewritten.length}`)
  const known = new Set<string>()
  return plain.flatMap((from, i) => {
    const to = rewritten[i]!
    const isNew = !known.has(to) && usable([to]).length === 1
    known.add(to)
    return isNew ? [{ from, to }] : []
  })
}

async function chatTokenizer(texts: readonly string[], vocabSize: number): Promise<Tokenizer> {
  const { tokenizer } = await trainBpe(texts, { vocabSize, specialTokens: ['<|im_start|>', '<|im_end|>'] })
  return Tokenizer.fromJson(tokenizer.toJson(), { roles: { eos: '<|im_end|>' }, chatTemplate: CHATML_TEMPLATE })
}
