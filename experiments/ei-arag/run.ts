// npx tsx experiments/ei-arag/run.ts [--quick] [--seeds 1,2,3] [--keep DIR] --out FILE.json: does the first block tell more than the
// question's words? For each seed a toy world is made, a language model is taught it from scratch and asked every question with and
// without its passage, and all gates are measured. Each seed is written as it comes; seeds that are in the file are not run again.
// With --keep, answers and states are kept there, too, and taken from there.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { GATE_LABELS, type GateLabel } from '../../src/eval/gates/gate-record.ts'
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
  seeds: ToySeed[]
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '1,2,3,4,5' },
    keep: { type: 'string' },
    out: { type: 'string' },
  },
})
if (values.out === undefined) throw new Error('--out: expected a file for the results, got none')
const SIZE: WorldSize = values.quick
  ? { entities: 300, statements: 3000, reading: 600, corrupted: 0.35 }
  : { entities: 4000, statements: 57_600, reading: 10_000, corrupted: 0.35 }
const SHAPE: SmallShape = {
  layers: values.quick ? 2 : 4,
  hidden: values.quick ? 64 : 128,
  feedForward: values.quick ? 172 : 344,
  // As many as there are merges: every word is one token.
  vocabulary: 3000,
  initializerRange: 0.06,
  pretrainSteps: values.quick ? 60 : 1600,
}
const LESSONS: Lessons = { length: 64, rows: 10 }

interface Kept {
  asked: Asked[]
  about: Pick<ToySeed, 'parameters' | 'vocabulary' | 'tokens' | 'epochs' | 'went'>
}

const results: ToyResults = existsSync(values.out)
  ? (JSON.parse(readFileSync(values.out, 'utf8')) as ToyResults)
  : { machine: machineFor('cpu'), size: SIZE, shape: SHAPE, lessons: LESSONS, seeds: [] }
for (const seed of values.seeds.split(',').map(Number)) {
  if (results.seeds.some((one) => one.seed === seed)) continue
  const { texts, questions } = makeWorld(SIZE, seed)
  const lessons = texts.map((text) => ({ text }))
  const tokenizer = await tokenizerOf(texts, SHAPE)
  const path = values.keep === undefined ? undefined : join(values.keep, `seed-${seed}.v8`)
  const run = async (): Promise<Kept> => {
    const asking = questions.map(({ question }) => question)
    const start = await teach(lessons, tokenizer, { ...SHAPE, pretrainSteps: 0 }, LESSONS, seed)
    const untrained = questionStates(start.model, tokenizer, asking).map(({ means }) => means[1]!)
    start.model.free()
    const { model, tokens, epochs } = await teach(lessons, tokenizer, SHAPE, LESSONS, seed)
    const records = await recordMany(model, tokenizer, questions)
    const states = questionStates(model, tokenizer, asking)
    const parameters = model.weightCount
    model.free()
    return {
      asked: records.map((record, i) => ({ record, states: states[i]!, untrained: untrained[i]! })),
      about: { parameters, vocabulary: tokenizer.vocabSize, tokens, epochs, went: wentOf(records, questions) },
    }
  }
  const isKept = path !== undefined && existsSync(path)
  const { asked, about } = isKept ? (deserialize(readFileSync(path)) as Kept) : await run()
  if (path !== undefined && !isKept) {
    mkdirSync(values.keep!, { recursive: true })
    writeFileSync(path, serialize({ asked, about } satisfies Kept))
  }
  console.error(`seed ${seed}: ${JSON.stringify(about)}`)
  const words = (question: string): string[] =>
    Array.from(tokenizer.encode(question, { addSpecialTokens: false }), String)
  const gates = {} as Record<GateLabel, GateRow[]>
  let sizes: ToySeed['sizes'] | undefined
  for (const label of GATE_LABELS) {
    const swept = await gatesOf(asked, label, seed, words)
    gates[label] = swept.gates
    sizes = swept.sizes
  }
  results.seeds.push({ seed, ...about, sizes: sizes!, gates })
  writeFileSync(values.out, `${JSON.stringify(results, null, 1)}\n`)
  writeFileSync(values.out.replace(/\.json$/, '.md'), writeTables(results))
  console.error(`seed ${seed} done`)
}
