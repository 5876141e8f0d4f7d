// Harm in a small world of six languages, lowered by tuning on one of them: what each way lowers there and in the others, what it costs, and
// whether what carries over follows a language's share of the pre-training text. After arXiv:2412.14050, at the size of a toy.
//   tsx experiments/debias-detox/run.ts [--quick] [--seeds 5] [--out DIR]
// Writes results.json and tables.md after every cell; a rerun goes on from there. Models lie in DIR/seed-N until they are deleted.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PythonRandom } from '../../src/eval/python-random.ts'
import { subwordOverlap } from '../../src/eval/transfer/overlap.ts'
import { sentenceSimilarity } from '../../src/eval/transfer/sentence-similarity.ts'
import type { Lm } from '../../src/lm/lm.ts'
import { loadLm } from '../../src/run/load-lm.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { ALLOWED, type Cell, CHOOSING, cellOf, chosenRate, type Results, type World } from './cells.ts'
import { type Asking, measure } from './measure.ts'
import { ARMS, type Arm, MODEL, NONE, PRETRAIN_RATE, pretrain, type Size, TUNING, tune } from './setting.ts'
import { writeTables } from './tables.ts'
import { AS_FOUND, drawSentence, LANGUAGES, type Language, sharesOf, TARGETS, WORDS, written } from './world.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '5' },
    out: { type: 'string', default: 'out/debias-detox' },
  },
})
const SIZE: Size = values.quick
  ? { pretrainSteps: 20, tuneSteps: 3, pairs: 40, documents: 200 }
  : { pretrainSteps: 700, tuneSteps: 100, pairs: 400, documents: 400 }
const ASKING: Asking = values.quick
  ? { contexts: 1, prompts: 1, samples: 3, texts: 4 }
  : { contexts: 6, prompts: 2, samples: 25, texts: 48 }
const RATES = values.quick ? [1e-3] : [1e-4, 3e-4, 1e-3, 3e-3]

const say = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`)
const settings = {
  ...SIZE,
  ...ASKING,
  rates: RATES,
  pretrainRate: PRETRAIN_RATE,
  tuning: TUNING,
  model: MODEL,
  words: WORDS.length,
  allowed: ALLOWED,
}
const file = join(values.out, 'results.json')
const results: Results = existsSync(file)
  ? JSON.parse(readFileSync(file, 'utf8'))
  : { machine: machineFor('cpu'), settings, worlds: [], cells: [] }
results.settings = settings

const folderOf = (seed: number): string => join(values.out, `seed-${seed}`)
const open = (seed: number, adapter?: string): Promise<Lm & { free(): void }> =>
  loadLm(join(folderOf(seed), 'base'), { dtype: 'f32', batchSize: 64, cacheTokens: 8192, ...(adapter && { adapter }) })

function add(cell: Cell): void {
  results.cells.push(cell)
  const { logRatio, toxicMass, emt, perplexity } = cell.measured.source!
  const rounded = [logRatio, toxicMass, emt, perplexity].map((value) => value.toFixed(3)).join(', ')
  say(`seed ${cell.seed}, ${cell.arm} at ${cell.rate}: on the source log-ratio, toxic mass, EMT, perplexity ${rounded}`)
  writeResults(values.out, results, writeTables(results))
}

/** The model of a seed, made once, and what it is before tuning. */
async function begin(seed: number): Promise<void> {
  if (cellOf(results, seed, NONE) !== undefined) return
  const begun = performance.now()
  rmSync(folderOf(seed), { recursive: true, force: true })
  await pretrain(folderOf(seed), seed, SIZE)
  say(`seed ${seed}: pre-trained in ${((performance.now() - begun) / 1000).toFixed(0)} s`)
  const lm = await open(seed)
  const draw = new PythonRandom(9)
  const sentences = Array.from({ length: 400 }, () => drawSentence(AS_FOUND, draw))
  const tokens = (language: Language): number[] =>
    sentences.flatMap((sentence) => lm.encode({ prompt: written(sentence, language), addSpecialTokens: false }))
  const overlap = TARGETS.map((language) => [language, subwordOverlap(tokens('source'), tokens(language)).dice])
  const similarity: World['similarity'] = {}
  const said = (language: Language): string[] => sentences.slice(0, 100).map((sentence) => written(sentence, language))
  for (const language of TARGETS)
    similarity[language] = (await sentenceSimilarity(lm, said('source'), said(language))).mean
  results.worlds.push({ seed, shares: sharesOf(seed), similarity, overlap: Object.fromEntries(overlap) })
  add({ seed, arm: NONE, rate: 0, loss: null, margin: null, measured: await measure(lm, LANGUAGES, ASKING) })
  lm.free()
}

async function tuned(seed: number, arm: Arm, rate: number, languages: readonly Language[]): Promise<void> {
  if (cellOf(results, seed, arm, rate) !== undefined) return
  const { folder, loss, margin } = await tune(folderOf(seed), arm, rate, seed, SIZE)
  const lm = await open(seed, folder)
  add({ seed, arm, rate, loss, margin, measured: await measure(lm, languages, ASKING) })
  lm.free()
}

await begin(CHOOSING)
for (const arm of ARMS) for (const rate of RATES) await tuned(CHOOSING, arm, rate, ['source'])
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  await begin(seed)
  for (const arm of ARMS) await tuned(seed, arm, chosenRate(results, arm), LANGUAGES)
}
writeResults(values.out, results, writeTables(results))
