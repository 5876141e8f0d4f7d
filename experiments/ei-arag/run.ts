// npx tsx experiments/ei-arag/run.ts [--quick | --large] [--device cuda --gpu NAME] [--seeds 1,2,3] [--keep DIR] --out FILE.json: does the first block
// tell more than the question's words? For each seed a toy world is made, a language model is taught it from scratch and asked every
// question with and without its passage, and all gates are measured. Each seed is written as it comes; seeds that are in the file are not
// run again. With --keep, answers and states are kept there, too, and taken from there.
// --large is for a GPU: 50,000 entities, of which every sixteenth is asked about. --shape '{"layers":8}' and --steps N change what is
// trained; --ask-only ends once answers and states are kept; files behind the options give their seeds, and nothing is run.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { GATE_LABELS, type GateLabel } from '../../src/eval/gates/gate-record.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'
import { resolveDevice } from '../../src/torch/index.ts'
import { machineFor } from '../setting/results.ts'
import { type SmallShape, tokenizerOf } from '../setting/small-llama.ts'
import { type Asked, type GateRow, gatesOf, type Went, wentOf } from './measure.ts'
import { type Lessons, questionStates, recordMany, teach } from './teach.ts'
import { writeTables } from './toy-tables.ts'
import { makeWorld, type WorldSize } from './world.ts'

/** One world, one model. */
export interface ToySeed {
  seed: number
  parameters: number
  vocabulary: number
  tokens: number
  epochs: number
  /** Of training alone. Not in the first results. */
  seconds?: number
  went: Went
  sizes: { train: number; validation: number; test: number }
  gates: Record<GateLabel, GateRow[]>
}

/** What the file has. */
export interface ToyResults {
  machine: string
  size: WorldSize
  shape: SmallShape
  lessons: Lessons
  /** One entity of so many is asked about. Default 1. */
  every?: number
  /** After which blocks states are read. Default: each from 0. */
  layers?: number[]
  seeds: ToySeed[]
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    device: { type: 'string', default: 'cpu' },
    gpu: { type: 'string' },
    shape: { type: 'string', default: '{}' },
    steps: { type: 'string' },
    'ask-only': { type: 'boolean', default: false },
    seeds: { type: 'string', default: '1,2,3,4,5' },
    keep: { type: 'string' },
    out: { type: 'string' },
  },
})
if (values.out === undefined) throw new Error('--out: expected a file for the results, got none')
const out = values.out
const corrupted = 0.35
// As many merges as there are: every word is one token.
const vocabulary = 3000
const SIZES = {
  quick: { entities: 300, statements: 3000, reading: 600, corrupted },
  usual: { entities: 4000, statements: 57_600, reading: 10_000, corrupted },
  large: { entities: 50_000, statements: 720_000, reading: 125_000, corrupted },
}
const SHAPES: Record<keyof typeof SIZES, SmallShape> = {
  quick: { layers: 2, hidden: 64, feedForward: 172, vocabulary, initializerRange: 0.06, pretrainSteps: 350 },
  usual: { layers: 4, hidden: 128, feedForward: 344, vocabulary, initializerRange: 0.06, pretrainSteps: 1600 },
  large: {
    layers: 12,
    hidden: 768,
    feedForward: 2048,
    vocabulary,
    heads: 12,
    keyValueHeads: 6,
    learningRate: 6e-4,
    pretrainSteps: 1800,
  },
}
const name = values.quick ? 'quick' : values.large ? 'large' : 'usual'
const SIZE: WorldSize = SIZES[name]
const device = resolveDevice(values.device)
const SHAPE: SmallShape = {
  ...SHAPES[name],
  ...(device === 'cuda' && { device }),
  ...(JSON.parse(values.shape) as Partial<SmallShape>),
  ...(values.steps !== undefined && { pretrainSteps: Number(values.steps) }),
}
const LESSONS: Lessons = { length: 64, rows: values.large ? 128 : 10 }
/** Of a large world: which entities are asked about, and after which blocks states are read. */
const PART = values.large ? { every: 16, layers: [0, 1, SHAPE.layers >> 1, SHAPE.layers] } : {}
const { every = 1, layers } = PART
/** Of how many texts the tokenizer is made: every word is in many. */
const TOKENIZED = 100_000

interface Kept {
  asked: Asked[]
  about: Pick<ToySeed, 'parameters' | 'vocabulary' | 'tokens' | 'epochs' | 'seconds' | 'went'>
}

const read = (path: string): ToyResults => JSON.parse(readFileSync(path, 'utf8')) as ToyResults
function write(results: ToyResults): void {
  writeFileSync(out, `${JSON.stringify(results, null, 1)}\n`)
  writeFileSync(out.replace(/\.json$/, '.md'), writeTables(results))
}

/** The seed's questions asked, or what was kept of that. */
async function keptOf(seed: number): Promise<{ kept: Kept; tokenizer: Tokenizer }> {
  const { texts, questions: all } = makeWorld(SIZE, seed)
  const questions = all.filter((_, i) => i % every === 0)
  const tokenizer = await tokenizerOf(texts.slice(0, TOKENIZED), SHAPE)
  const path = values.keep === undefined ? undefined : join(values.keep, `seed-${seed}.v8`)
  if (path !== undefined && existsSync(path)) return { kept: deserialize(readFileSync(path)) as Kept, tokenizer }
  const lessons = texts.map((text) => ({ text }))
  const asking = questions.map(({ question }) => question)
  // Untrained weights are the seed's, whatever is to be learnt.
  const start = await teach(lessons.slice(0, 1000), tokenizer, { ...SHAPE, pretrainSteps: 0 }, LESSONS, seed)
  const untrained = questionStates(start.model, tokenizer, asking, [1]).map(({ means }) => means[0]!)
  start.model.free()
  const { model, tokens, epochs, seconds } = await teach(lessons, tokenizer, SHAPE, LESSONS, seed)
  console.error(`seed ${seed}: ${tokens} tokens in ${seconds.toFixed(1)} s`)
  const records = await recordMany(model, tokenizer, questions)
  const states = questionStates(model, tokenizer, asking, layers)
  const parameters = model.weightCount
  model.free()
  const went = wentOf(records, questions)
  const kept: Kept = {
    asked: records.map((record, i) => ({ record, states: states[i]!, untrained: untrained[i]! })),
    about: { parameters, vocabulary: tokenizer.vocabSize, tokens, epochs, seconds, went },
  }
  if (path !== undefined) {
    mkdirSync(values.keep!, { recursive: true })
    writeFileSync(path, serialize(kept))
  }
  return { kept, tokenizer }
}

const results: ToyResults = existsSync(out)
  ? read(out)
  : {
      machine: values.gpu === undefined ? machineFor(device) : `${machineFor('cpu')}, ${values.gpu}`,
      size: SIZE,
      shape: SHAPE,
      lessons: LESSONS,
      ...PART,
      seeds: [],
    }
if (positionals.length > 0) {
  const [first, ...others] = positionals.map(read)
  write({ ...first!, seeds: [first!, ...others].flatMap(({ seeds }) => seeds) })
} else
  for (const seed of values.seeds.split(',').map(Number)) {
    if (results.seeds.some((one) => one.seed === seed)) continue
    const { kept, tokenizer } = await keptOf(seed)
    const { asked, about } = kept
    console.error(`seed ${seed}: ${JSON.stringify(about)}`)
    if (values['ask-only']) continue
    const words = (question: string): string[] =>
      Array.from(tokenizer.encode(question, { addSpecialTokens: false }), String)
    const gates = {} as Record<GateLabel, GateRow[]>
    let sizes: ToySeed['sizes'] | undefined
    for (const label of GATE_LABELS) {
      const swept = await gatesOf(asked, label, seed, words, layers)
      gates[label] = swept.gates
      sizes = swept.sizes
      console.error(`seed ${seed}, ${label} done`)
    }
    results.seeds.push({ seed, ...about, sizes: sizes!, gates })
    write(results)
  }
