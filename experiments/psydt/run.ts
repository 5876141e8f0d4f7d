// npx tsx experiments/psydt/run.ts --out DIR [--quick] [--seeds N]: the claims of PsyDT on the template world. For each seed: a pre-training
// of its own, dialogues of its own made by the recipe, arms of equal steps, and sessions with clients that nobody was trained on. A seed
// that is done is not made again.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Engine } from '../../src/infer/engine.ts'
import type { PsydtRow } from '../../src/methods/psydt/psydt.ts'
import { readModelConfig } from '../../src/model/config-read.ts'
import { Decoder } from '../../src/model/decoder.ts'
import { noGrad } from '../../src/torch/index.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { answersAt, type Figures, figuresOf, placesOf } from './measure.ts'
import {
  crowd,
  dialoguesOf,
  heldBatches,
  heldSessions,
  lossOn,
  type Size,
  TARGET,
  type Talk,
  talkOf,
  talkOfRow,
  tokenizerFor,
  tune,
} from './setting.ts'
import { tables } from './tables.ts'
import { COUNSELLORS, worldCases } from './world.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, seeds: { type: 'string', default: '3' }, out: { type: 'string' } },
})
if (values.out === undefined) throw new Error('--out: expected a folder for results.json and tables.md, got none')
const SIZE: Size = values.quick
  ? {
      layers: 2,
      hidden: 64,
      feedForward: 172,
      vocabulary: 600,
      crowd: 60,
      crowdSteps: 20,
      dialogues: 24,
      steps: 20,
      batch: 4,
      held: 1,
    }
  : {
      layers: 3,
      hidden: 128,
      feedForward: 344,
      vocabulary: 900,
      crowd: 1200,
      crowdSteps: 400,
      dialogues: 240,
      steps: 120,
      batch: 8,
      held: 5,
    }
const RATE = { crowd: 3e-3, twin: 1e-3 }
/** Steps between two looks at the loss. */
const EVERY = values.quick ? 10 : 20

/** One arm of one seed. */
export interface ArmResult {
  arm: string
  figures: Figures
  /** Mean loss of the counsellor's tokens in held-out sessions, and after so many steps of tuning. */
  loss: number
  losses: readonly (readonly [step: number, loss: number])[]
  /** Tokens read while tuning. */
  tokens: number
}

export interface SeedResult {
  seed: number
  /** Of each synthesis: tries that were refused, seeds without a row. */
  synthesis: Record<string, { rows: number; refused: number; rejected: number }>
  /** What the synthesised turns themselves are like, measured as answers are. */
  teacher: Figures
  arms: ArmResult[]
  seconds: number
}

async function runSeed(seed: number, say: (line: string) => void): Promise<SeedResult> {
  const began = performance.now()
  const made: Record<string, PsydtRow[]> = {}
  const synthesis: SeedResult['synthesis'] = {}
  for (const counsellor of COUNSELLORS)
    for (const match of counsellor === TARGET ? (['topic', 'random'] as const) : (['topic'] as const)) {
      const name = `${counsellor.name}, ${match}`
      const { rows, refused, rejected } = await dialoguesOf(counsellor, SIZE.dialogues, match, seed)
      made[name] = rows
      synthesis[name] = { rows: rows.length, refused, rejected }
    }
  const talks = (name: string): Talk[] => made[name]!.map(talkOfRow)
  const third = Math.floor(SIZE.dialogues / 3)
  const crowdTalks = crowd(SIZE.crowd, seed)
  const tokenizer = await tokenizerFor([...crowdTalks, ...Object.keys(made).flatMap(talks)], SIZE.vocabulary)
  const sessions = heldSessions(TARGET, SIZE.held, seed)
  const held = heldBatches(sessions, tokenizer)
  const places = placesOf(sessions)
  const real = worldCases(TARGET, seed)

  const fresh = (): Decoder => Decoder.fresh(configOf(tokenizer.vocabSize), { seed })
  const base = fresh()
  const how = { batch: SIZE.batch, seed }
  await tune(base, tokenizer, crowdTalks, { ...how, steps: SIZE.crowdSteps, rate: RATE.crowd, turns: 'all' })
  const start = await lossOn(base, held)
  say(`seed ${seed}: taught by the crowd, loss ${start.toFixed(3)}`)
  const arms: ArmResult[] = []
  const measured = async (
    arm: string,
    model: Decoder,
    rest: Omit<ArmResult, 'arm' | 'figures' | 'loss'>,
    isShown = false,
  ) => {
    const lm = new Engine({ model, tokenizer, info: { name: arm } })
    const example = isShown ? (topic: string) => real.find((one) => one.topic === topic)! : undefined
    const answers = await answersAt(lm, places, seed, example)
    const figures = figuresOf(places, answers, TARGET)
    arms.push({ arm, figures, loss: await lossOn(model, held), ...rest })
    say(
      `seed ${seed}, ${arm}: manner ${figures.manner.toFixed(3)}, loss ${arms.at(-1)!.loss.toFixed(3)}; ${answers[0]}`,
    )
  }
  const none = { losses: [[0, start] as const], tokens: 0 }
  await measured('untuned', base, none)
  await measured('untuned, one-shot prompt with the real case', base, none, true)
  const of = (name: string, count = SIZE.dialogues): Talk[] => talks(name).slice(0, count)
  const target = TARGET.name
  const data: [arm: string, talks: Talk[], turns: 'all' | 'last'][] = [
    ['one style', of(`${target}, topic`), 'all'],
    ['mixed styles', COUNSELLORS.flatMap(({ name }) => of(`${name}, topic`, third)), 'all'],
    ['one style, random case', of(`${target}, random`), 'all'],
    ['one style, last turn only', of(`${target}, topic`), 'last'],
    ['the real cases alone', real.map(talkOf), 'all'],
  ]
  const state = new Map(base.parameters())
  for (const [arm, list, turns] of data) {
    const model = fresh()
    noGrad(() => {
      for (const [path, parameter] of model.parameters()) parameter.copy_(state.get(path)!)
    })
    const losses: (readonly [number, number])[] = [[0, start]]
    const watch = { every: EVERY, hear: async (step: number) => void losses.push([step, await lossOn(model, held)]) }
    const { tokens } = await tune(model, tokenizer, list, { ...how, steps: SIZE.steps, rate: RATE.twin, turns }, watch)
    await measured(arm, model, { losses, tokens })
  }
  const rows = made[`${target}, topic`]!
  const teacher = figuresOf(
    rows.map(({ topic, messages }) => ({ case: { id: '', topic, turns: [] }, round: 0, real: messages[2]!.content })),
    rows.map(({ messages }) => messages[2]!.content),
    TARGET,
  )
  return { seed, synthesis, teacher, arms, seconds: (performance.now() - began) / 1000 }
}

function configOf(vocabSize: number) {
  const { layers, hidden, feedForward } = SIZE
  return readModelConfig(
    {
      ...{ model_type: 'llama', vocab_size: vocabSize, hidden_size: hidden, intermediate_size: feedForward },
      ...{ num_hidden_layers: layers, num_attention_heads: 4, num_key_value_heads: 4 },
      ...{ max_position_embeddings: 4096, tie_word_embeddings: true },
    },
    'config.json',
  )
}

mkdirSync(values.out, { recursive: true })
const results: SeedResult[] = []
for (let seed = 1; seed <= (values.quick ? 1 : Number(values.seeds)); seed++) {
  const file = join(values.out, `seed-${seed}.json`)
  if (!existsSync(file)) writeFileSync(file, JSON.stringify(await runSeed(seed, console.error)))
  results.push(JSON.parse(readFileSync(file, 'utf8')) as SeedResult)
}
const written = tables(results)
writeResults(values.out, { machine: machineFor('cpu'), size: SIZE, rate: RATE, seeds: results }, written)
console.log(written)
