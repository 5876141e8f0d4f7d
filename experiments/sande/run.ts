// SANDE's claims and its kin's on small Llamas with backdoors of our own (benign markers): what each defence takes out and what it costs.
//   tsx experiments/sande/run.ts --documents PATH [--documents PATH …] --sentences FILE.tsv --plain FILE.csv --rewritten FILE.csv [--quick] [--out DIR]
// --documents: what models are pre-trained on, each on a part of its own. --sentences: a label, a tab, a sentence; what is asked is about these.
// --plain and --rewritten: sentences, and row by row the same said in a way that is the syntactic trigger.
// Writes results.json and tables.md after every cell; a rerun goes on from there. Models lie in DIR/models until they are deleted.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../src/checkpoint/model-directory/save.ts'
import { ExchangeEncoder } from '../../src/methods/sande/exchange.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { ARMS, type Arm, defend, type Search, search, type Task } from './arms.ts'
import { ATTACKS, type Attack, attackRows, BUDGETS, type Budget, SYNTAX } from './attacks.ts'
import { type Cell, chosenBudget, chosenRate, type Results } from './cells.ts'
import { look, measure } from './measure.ts'
import { cleanModel, MODELS, prepare, type Size, tune } from './setting.ts'
import { writeTables } from './tables.ts'

const { values } = parseArgs({
  options: {
    documents: { type: 'string', multiple: true, default: [] },
    sentences: { type: 'string' },
    plain: { type: 'string' },
    rewritten: { type: 'string' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: 'out/sande' },
  },
})
const SIZE: Size = {
  layers: 3,
  hidden: 96,
  feedForward: 256,
  keyValueHeads: 4,
  initializerRange: 0.05,
  vocabulary: 2048,
  length: 96,
  batch: 16,
  pretrainSteps: values.quick ? 30 : 600,
  instructSteps: values.quick ? 30 : 800,
  attackSteps: values.quick ? 10 : 400,
  asked: values.quick ? 10 : 100,
  steps: values.quick ? 3 : 80,
  rows: 8,
  samples: 100,
  parrotSteps: values.quick ? 3 : 100,
}
const RATES = [3e-4, 5.5e-4, 1e-3, 1.7e-3, 3e-3]
const ATTACK_RATE = 2e-3
/** Attacks of model 0 on which rates are chosen. */
const PROBES = ['phrase, start', 'word, random']
/** The attack on which numbers of clean questions are tried, and those beside the table's. */
const SAMPLED = { attack: 'word, random', arms: ['clean SFT', 'OSFT', 'SANDE'], counts: [10, 1000] }
const CLEAN_MODELS = values.quick ? 1 : 7
const WORKS = 0.9

const say = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`)
const setting = await prepare(SIZE, {
  documents: values.documents,
  sentences: values.sentences!,
  pairs: [values.plain!, values.rewritten!],
})
const encoder = new ExchangeEncoder(setting.tokenizer)
const settings = {
  ...SIZE,
  arms: Object.fromEntries(ARMS.map(({ name, rateOf }) => [name, rateOf])),
  rates: RATES,
  attackRate: ATTACK_RATE,
  works: WORKS,
  budgets: BUDGETS,
  ...setting.counts,
}
const file = join(values.out, 'results.json')
const results: Results = existsSync(file)
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { machine: machineFor('cpu'), settings, cells: [], looks: [], tries: [] }

results.settings = settings

function write(): void {
  writeResults(values.out, results, writeTables(results))
}

/** A model that is made once and then read from its folder. */
async function kept(name: string, make: () => Promise<Decoder>): Promise<Decoder> {
  const folder = join(values.out, 'models', name.replaceAll(/[, ]+/g, '-'))
  if (!existsSync(join(folder, 'config.json'))) {
    const begun = performance.now()
    const model = await make()
    mkdirSync(folder, { recursive: true })
    saveDecoder(model, folder)
    model.free()
    say(`${name}: made in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
  }
  return loadDecoder(folder, { dtype: 'f32' })
}

const chat = (number: number): Promise<Decoder> => kept(`${number}`, () => cleanModel(setting, number, say))

/** The chat model tuned on, with poisoned rows or with clean ones alone. */
const tuned = (number: number, attack: Attack | null, seed: number): Promise<Decoder> =>
  kept(`${number} ${attack?.name ?? `clean ${seed}`} ${attack?.budget?.name ?? ''}`.trim(), async () => {
    const model = await chat(number)
    const rows = attackRows(setting, attack, seed)
    const options = {
      steps: (!values.quick && attack?.budget?.steps) || SIZE.attackSteps,
      rate: ATTACK_RATE,
      batch: SIZE.batch,
      seed,
    }
    await tune(model, setting.tokenizer, rows, options)
    return model
  })

type Key = Pick<Cell, 'model' | 'attack' | 'arm' | 'rate' | 'samples'>
const find = (key: Key): Cell | undefined =>
  results.cells.find((cell) => (Object.keys(key) as (keyof Key)[]).every((name) => cell[name] === key[name]))

/** The attacked model as it is: whether the attack works. */
async function undefended(number: number, attack: Attack): Promise<Cell> {
  const key = { model: number, attack: attack.name, arm: 'no defence', rate: 0, samples: 0 }
  const known = find(key)
  if (known !== undefined) return known
  const model = await tuned(number, attack, number)
  const cell: Cell = { ...key, done: null, measured: await measure(model, number, attack, setting, encoder) }
  model.free()
  add(cell)
  return cell
}

function add(cell: Cell): void {
  results.cells.push(cell)
  const { clean, trigger } = cell.measured.ways
  say(
    `${cell.model} ${cell.attack}: ${cell.arm} at ${cell.rate}, ${cell.samples} rows: marker ${trigger!.marker}, right ${clean!.right}, under trigger ${trigger!.right}, ${cell.done?.seconds.toFixed(1) ?? ''} s`,
  )
  write()
}

/** Cells of one attacked model; the parrot is searched for once for those that share it. */
async function cells(
  number: number,
  attack: Attack,
  wanted: readonly (readonly [Arm, number, number])[],
): Promise<void> {
  const parrots = new Map<string, Search>()
  for (const [arm, rate, samples] of wanted) {
    const key = { model: number, attack: attack.name, arm: arm.name, rate, samples }
    if (find(key) !== undefined) continue
    const model = await tuned(number, attack, number)
    const before = await chat(number)
    const task: Task = { model, number, attack, before, samples, rate }
    let found: Search | null = null
    if (arm.method === 'sande' || arm.method === 'random') {
      const which = `${arm.markerTokens} ${samples}`
      found = parrots.get(which) ?? (await search(task, arm.markerTokens, setting, encoder))
      parrots.set(which, found)
    }
    const done = await defend(arm, task, setting, encoder, found)
    add({ ...key, done, measured: await measure(model, number, attack, setting, encoder) })
    model.free()
    before.free()
  }
  for (const { parrot } of parrots.values()) parrot.embedding.free()
}

async function looked(number: number, attack: Attack | null, seed: number): Promise<void> {
  const name = attack?.name ?? `clean ${seed}`
  for (const told of [false, true]) {
    if (results.looks.some((one) => one.model === number && one.of === name && one.told === told)) continue
    const model = await tuned(number, attack, seed)
    const known = told ? (attack ?? ATTACKS[0]!) : null
    results.looks.push({ model: number, of: name, told, ...(await look(model, setting, encoder, known)) })
    model.free()
    say(`${number} ${name}: ${told ? 'told' : 'discover'}: ${results.looks.at(-1)!.verdict}`)
    write()
  }
}

/** The syntactic attack with a budget on model 0. */
async function tried(budget: Budget): Promise<void> {
  if (results.tries.some((one) => one.model === 0 && one.budget === budget.name)) return
  const attack = { ...SYNTAX, budget }
  const model = await tuned(0, attack, 0)
  results.tries.push({ model: 0, budget: budget.name, measured: await measure(model, 0, attack, setting, encoder) })
  model.free()
  const { clean, trigger } = results.tries.at(-1)!.measured.ways
  say(`0 syntax, ${budget.name}: marker ${trigger!.marker}, without ${clean!.marker}`)
  write()
}

for (const budget of BUDGETS) await tried(budget)
const budget = BUDGETS.find(({ name }) => name === chosenBudget(results))!
const attacks = [...ATTACKS, { ...SYNTAX, budget }]
for (const name of PROBES) {
  const attack = ATTACKS.find((one) => one.name === name)!
  await undefended(0, attack)
  const arms = ARMS.filter((arm) => arm.name === arm.rateOf)
  const wanted = arms.flatMap((arm) => RATES.map((rate) => [arm, rate, SIZE.samples] as const))
  await cells(0, attack, wanted)
}
const rateOf = (arm: Arm): number => chosenRate(results, arm.rateOf)
for (const number of MODELS.slice(1)) {
  for (const attack of attacks) {
    const { measured } = await undefended(number, attack)
    await looked(number, attack, number)
    // The syntactic one is defended where it fell short, too; that is told apart.
    if (measured.ways.trigger!.marker < WORKS && attack.name !== SYNTAX.name) continue
    await cells(
      number,
      attack,
      ARMS.map((arm) => [arm, rateOf(arm), SIZE.samples] as const),
    )
  }
  for (let i = 0; i < CLEAN_MODELS; i++) await looked(number, null, 100 * number + i)
}
for (const number of MODELS.slice(1)) {
  const arms = ARMS.filter(({ name }) => SAMPLED.arms.includes(name))
  const attack = ATTACKS.find(({ name }) => name === SAMPLED.attack)!
  const { measured } = await undefended(number, attack)
  if (measured.ways.trigger!.marker >= WORKS)
    await cells(
      number,
      attack,
      arms.flatMap((arm) => SAMPLED.counts.map((count) => [arm, rateOf(arm), count] as const)),
    )
}
write()
