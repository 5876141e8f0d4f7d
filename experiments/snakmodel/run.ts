// SnakModel's claims (Zhang et al., NoDaLiDa 2025) on small Llamas: an English model goes on with Danish text.
//   tsx experiments/snakmodel/run.ts --source PATH [--source PATH …] --target PATH --books PATH --treebank FILE.conllu --scala DIR [--seeds 1,2,3] [--quick] [--out DIR]
// --source: English text. --target: Danish documents; --books: chapters of books (`Gen.1:1 …`), held out by book. --treebank: Danish sentences
// of Universal Dependencies; --scala: test.jsonl and val.jsonl of ScaLA ({text, label}). Texts are split by document before anything else, near
// copies across a split left out. The seed decides the start of the pre-training, the order of all batches and the items of instruction.
// Writes results.json and tables.md after each seed; seeds that are there already are kept.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import { concatenated, mixVisits } from '../../src/data/mixture.ts'
import type { PackedDataset } from '../../src/data/packing/pack.ts'
import { readModelConfig } from '../../src/model/config-read.ts'
import { Decoder } from '../../src/model/decoder.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { withoutCopies } from '../setting/copies.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { tokenizerOf } from '../setting/small-llama.ts'
import { packed, windows } from '../setting/texts.ts'
import { formatItems, written } from './format-tasks.ts'
import { type Asked, ask, copyOf, type Moved, moved, pairsOf, type Questions } from './measure.ts'
import { type Results, writeTables } from './tables.ts'
import { sidesOf, textsIn, treebank } from './texts.ts'

const { values } = parseArgs({
  options: {
    source: { type: 'string', multiple: true, default: [] },
    target: { type: 'string', multiple: true, default: [] },
    books: { type: 'string', multiple: true, default: [] },
    treebank: { type: 'string' },
    scala: { type: 'string' },
    seeds: { type: 'string', default: '1,2,3' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: 'out/snakmodel' },
  },
})
const SIZE = {
  layers: 4,
  hidden: 128,
  feedForward: 352,
  vocabulary: 2048,
  length: 128,
  batch: 16,
  pretrainSteps: values.quick ? 60 : 700,
  adaptSteps: values.quick ? 16 : 200,
  tuneSteps: values.quick ? 8 : 40,
  heldWindows: values.quick ? 16 : 96,
  pairs: values.quick ? 30 : 300,
  judged: values.quick ? 30 : 256,
  items: values.quick ? 12 : 120,
  rate: 3e-3,
  adaptRate: 1e-3,
  tuneRate: 5e-4,
  replay: 0.25,
}
/** Shares of a run at which checkpoints are looked at. */
const PLACES: Readonly<Record<string, readonly number[]>> = {
  adapt: [1 / 8, 1 / 4, 1 / 2, 3 / 4, 1],
  'adapt with replay': [1 / 8, 1 / 2, 1],
  scratch: [1 / 8, 1 / 2, 1],
  'instruct, adapt': [1],
}
const say = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`)

const source = sidesOf(await textsIn(values.source), 0.08)
const target = sidesOf(await textsIn(values.target), 0.08)
const books = sidesOf(await textsIn(values.books), 0.1)
const danish = [...target.train, ...books.train]
const bank = treebank(values.treebank!, danish)
const scala = ['val', 'test'].flatMap((side): { text: string; label: string }[] =>
  readFileSync(join(values.scala!, `${side}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line)),
)
const judged = withoutCopies(
  danish.map((text) => ({ text })),
  scala,
)
const tokenizer = await tokenizerOf(source.train, { ...SIZE, pretrainSteps: 0 })
const pack = (texts: readonly string[]): Promise<PackedDataset> => packed(texts, tokenizer, SIZE.length)
const english = await pack(source.train)
const forms = await pack(formatItems(source.train, values.quick ? 600 : 12_000, 1).map(written))
const sentences = await pack(target.train)
const chapters = await pack(books.train)
const heldOf = async (texts: readonly string[]): Promise<BatchSource> => {
  const list = windows(await pack(texts), SIZE.heldWindows, 0, SIZE.batch)
  return { batchesPerEpoch: list.length, at: (index) => list[index % list.length]! }
}
const questions: Questions = {
  tokenizer,
  held: { danish: await heldOf(target.held), books: await heldOf(books.held), english: await heldOf(source.held) },
  pairs: pairsOf(bank.sentences, SIZE.pairs),
  judged: judged.slice(0, SIZE.judged),
  items: {
    danish: formatItems([...target.held, ...books.held], SIZE.items, 7),
    english: formatItems(source.held, SIZE.items, 7),
  },
}
const texts = Object.fromEntries(
  Object.entries({ source, target, books }).map(([name, sides]) => [
    name,
    {
      train: sides.train.length,
      held: sides.held.length,
      'near copies left out': sides.copies,
      bytes: sides.train.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    },
  ]),
)
const tokens = {
  english: english.numTokens,
  forms: forms.numTokens,
  sentences: sentences.numTokens,
  chapters: chapters.numTokens,
}
say(`${JSON.stringify(texts)} ${JSON.stringify(tokens)}, ${questions.pairs.length} pairs`)

/** Batches of several sources with shares. */
function mixed(sources: readonly (readonly [PackedDataset, number])[], seed: number): BatchSource {
  const sets = sources.map(([set]) => set)
  const visits = mixVisits(
    sets.map(({ length }) => length),
    { strategy: 'interleave_over', probabilities: sources.map(([, share]) => share), seed },
  )
  return batches(concatenated(sets), { batchSize: SIZE.batch, visits })
}

interface Course {
  steps: number
  rate: number
  schedule: 'cosine' | 'constant_with_warmup'
  /** Called after these shares of the steps. */
  look?: (step: number) => Promise<void>
  places?: readonly number[]
}

async function learn(
  model: Decoder,
  from: BatchSource,
  seed: number,
  { steps, rate, schedule, look, places = [] }: Course,
): Promise<void> {
  model.trainable()
  const stops = new Set(places.map((share) => Math.round(share * steps)))
  for await (const event of train(model, from, languageModeling(), {
    steps,
    learningRate: rate,
    schedule: makeSchedule(schedule, { steps, warmupSteps: 0.1 }),
    // Tokens that do not occur stay where they are.
    optimizer: { weightDecay: 0 },
    seed,
  })) {
    if (event.type !== 'step-done') continue
    const { step, loss } = event.metrics
    if (step % Math.ceil(steps / 3) === 0) say(`    step ${step}: loss ${loss.toFixed(3)}`)
    if (look !== undefined && stops.has(step)) await look(step)
  }
  model.trainable(() => false)
}

/** How often each token is read, and learnt from, in the first `steps` batches: nothing follows the last one of a row. */
function countTokens(from: BatchSource, steps: number): Float64Array {
  const counts = new Float64Array(tokenizer.vocabSize)
  for (let step = 0; step < steps; step++) {
    const { inputIds, length } = from.at(step)
    for (const [i, id] of inputIds.entries()) if (i % length !== length - 1) counts[id]!++
  }
  return counts
}

const rows: Results['rows'] = []
async function note(seed: number, arm: string, step: number, model: Decoder, shift?: Moved): Promise<void> {
  const asked: Asked = await ask(model, questions)
  rows.push({ seed, arm, step, ...asked, ...(shift !== undefined && { moved: shift }) })
  const brief = [...Object.entries(asked.loss), ...Object.entries(asked.format)].map(
    ([name, value]) => `${name} ${value.toFixed(3)}`,
  )
  say(
    `  ${arm} ${step}: ${brief.join(', ')}, pairs ${asked.pairs.all.toFixed(3)} (swapped ${asked.pairs.swapped.toFixed(3)}), scala ${asked.scala.toFixed(3)}`,
  )
}

const config = readModelConfig(
  {
    model_type: 'llama',
    vocab_size: tokenizer.vocabSize,
    hidden_size: SIZE.hidden,
    intermediate_size: SIZE.feedForward,
    num_hidden_layers: SIZE.layers,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    max_position_embeddings: 2048,
    // Untied, so that embedding and head are told apart.
    tie_word_embeddings: false,
  },
  'config.json',
)

const before = join(values.out, 'results.json')
if (existsSync(before)) rows.push(...(JSON.parse(readFileSync(before, 'utf8')) as Results).rows)
for (const seed of values.seeds.split(',').map(Number)) {
  if (rows.some((row) => row.seed === seed)) continue
  say(`seed ${seed}`)
  const own = [
    [english, 0.75],
    [forms, 0.25],
  ] as const
  const target = [
    [sentences, 0.7],
    [chapters, 0.3],
  ] as const
  const scaled = (list: readonly (readonly [PackedDataset, number])[], share: number): [PackedDataset, number][] =>
    list.map(([set, part]) => [set, part * share])
  const base = Decoder.fresh(config, { seed })
  await learn(base, mixed(own, seed), seed, { steps: SIZE.pretrainSteps, rate: SIZE.rate, schedule: 'cosine' })
  await note(seed, 'base', 0, base)

  const instructions = await pack(formatItems(danish, values.quick ? 200 : 4000, 100 + seed).map(written))
  const tuned = async (from: Decoder): Promise<Decoder> => {
    const model = copyOf(from)
    const order = batches(instructions, { batchSize: SIZE.batch, seed })
    await learn(model, order, seed, { steps: SIZE.tuneSteps, rate: SIZE.tuneRate, schedule: 'constant_with_warmup' })
    return model
  }
  const adapted = async (arm: string, from: Decoder, order: BatchSource, rate: number): Promise<Decoder> => {
    const model = copyOf(from)
    const look = async (step: number): Promise<void> =>
      note(seed, arm, step, model, moved(from, model, countTokens(order, step), step === SIZE.adaptSteps))
    await learn(model, order, seed, { steps: SIZE.adaptSteps, rate, schedule: 'cosine', look, places: PLACES[arm]! })
    return model
  }
  const plain = mixed(target, seed)
  const replay = mixed([...scaled(target, 1 - SIZE.replay), ...scaled(own, SIZE.replay)], seed)
  const fresh = Decoder.fresh(config, { seed: 1000 + seed })
  const parameters = fresh.weightCount
  await note(seed, 'scratch', 0, fresh)
  const told = await tuned(base)
  await note(seed, 'instruct', SIZE.tuneSteps, told)

  for (const [arm, from, order, rate] of [
    ['adapt', base, plain, SIZE.adaptRate],
    ['adapt with replay', base, replay, SIZE.adaptRate],
    ['scratch', fresh, plain, SIZE.rate],
    ['instruct, adapt', told, plain, SIZE.adaptRate],
  ] as const) {
    const model = await adapted(arm, from, order, rate)
    if (arm !== 'instruct, adapt') {
      const after = await tuned(model)
      await note(seed, `${arm}, instruct`, SIZE.tuneSteps, after)
      after.free()
    }
    model.free()
  }
  for (const model of [base, fresh, told]) model.free()
  instructions.close()
  const results: Results = {
    machine: machineFor('cpu'),
    settings: { ...SIZE, parameters },
    texts: {
      ...texts,
      treebank: { pairs: questions.pairs.length, 'near copies left out': bank.copies },
      scala: { judged: questions.judged.length, 'near copies left out': scala.length - judged.length },
    },
    tokens,
    rows,
  }
  writeResults(values.out, results, writeTables(results))
}
