// npx tsx experiments/psydt/diversity.ts --out DIR: how much the synthesised turns of the counsellor differ from each other, beside as many turns
// of real sessions of the same counsellor, and how many dialogues are near copies of another one.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Diversity, measureDiversity } from '../../src/eval/diversity/measure-diversity.ts'
import type { Case } from '../../src/methods/psydt/cases.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'
import { dialoguesOf, TARGET } from './setting.ts'
import { TOPICS, worldCase } from './world.ts'

const { values } = parseArgs({ options: { out: { type: 'string' }, seeds: { type: 'string', default: '3' } } })
if (values.out === undefined) throw new Error('--out: expected a folder, got none')

const DIALOGUES = 240
/** Turns of the counsellor that are compared: the figures depend on how many there are. */
const TURNS = 1500
const realTurns = (seed: number): string[] =>
  Object.keys(TOPICS)
    .flatMap((topic) => Array.from({ length: 20 }, (_, i): Case => worldCase(TARGET, topic, 70_000 + 100 * seed + i)))
    .flatMap(({ turns }) => turns.flatMap(({ speaker, text }) => (speaker === 'counsellor' ? [text] : [])))

const seeds: { seed: number; made: Diversity; real: Diversity }[] = []
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  const { rows } = await dialoguesOf(TARGET, DIALOGUES, 'topic', seed)
  const made = rows.flatMap(({ messages }) =>
    messages.flatMap(({ role, content }) => (role === 'assistant' ? [content] : [])),
  )
  seeds.push({
    seed,
    made: measureDiversity(made.slice(0, TURNS), { selfBleuTexts: 500 }),
    real: measureDiversity(realTurns(seed).slice(0, TURNS), { selfBleuTexts: 500 }),
  })
}
const KEYS = [
  'texts',
  'compressionRatio',
  'distinct1',
  'distinct2',
  'selfRepetition',
  'sharedRuns',
  'selfBleu',
] as const
const shown = (numbers: readonly number[]): string => {
  const { mean, halfWidth } = statistics(numbers)
  return `${mean.toFixed(3)} ± ${halfWidth.toFixed(3)}`
}
const table = markdownTable(
  `Turns of the counsellor, means of ${seeds.length} seeds`,
  ['figure', 'synthesised', 'real sessions'],
  KEYS.map((key) => [key, shown(seeds.map(({ made }) => made[key])), shown(seeds.map(({ real }) => real[key]))]),
)
writeResults(join(values.out), { machine: machineFor('cpu'), dialogues: DIALOGUES, turns: TURNS, seeds }, table)
console.log(table)
