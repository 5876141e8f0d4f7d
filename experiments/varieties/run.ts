// Close varieties told apart: DSL-TL (three labels; two), DSL-ML 2024 (several labels a sentence) and Cuban tweets, by a linear baseline, our
// language identifier, and small encoders and decoders that have seen nothing but the training sentences and a little text beside them.
//   tsx experiments/varieties/run.ts --tl DIR --ml DIR [--tweets FILE] [--xquad FILE] --tasks tl2-es,… [--seeds 3 or 2-3] [--arms "linear;encoder"] [--set epochs=3] [--tune] [--out DIR]
// --tl and --ml: LANGUAGE_train.tsv and LANGUAGE_dev.tsv as published. Tasks: tl2-es, tl3-es, ml-es, ml-en, tweets. --tune holds a fifth of the
// training sentences out in place of the dev set, another one for each seed. Sentences of the training set that are near copies of dev sentences
// are left out of all training. Writes results.json and tables.md; --merge DIR,DIR… makes one of the results of several runs.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Tensor } from '../../src/torch/index.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'
import { identifier, linear, neural } from './arms.ts'
import { Family, type Settings, tokenizerOf } from './neural.ts'
import { combined, one, type Scores, several } from './scores.ts'
import { type Task, taskOf } from './tasks.ts'

/** Chosen on parts of the training sentences, of some twenty settings: of models that adapt to texts or are fresh, and of those that begin as naive Bayes. */
const ADAPTED: Settings = {
  vocabulary: 8000,
  hidden: 64,
  normEps: 1e-5,
  length: 112,
  mlmEpochs: 4,
  mlmRate: 4e-3,
  epochs: 5,
  rate: 2e-3,
  decay: 0.1,
  dropout: 0.5,
  masked: 0.3,
  average: 0.99,
}
const BAYES: Settings = {
  ...ADAPTED,
  vocabulary: 16_000,
  normEps: 0.05,
  epochs: 2,
  rate: 1e-4,
  dropout: 0.1,
  masked: 0.1,
}
/** There are few tweets. */
const TWEETS: Settings = { ...ADAPTED, vocabulary: 2000 }
const { values } = parseArgs({
  options: {
    tl: { type: 'string' },
    ml: { type: 'string' },
    tweets: { type: 'string' },
    xquad: { type: 'string' },
    tasks: { type: 'string', default: 'tl2-es,tl3-es,ml-es,ml-en,tweets' },
    arms: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    set: { type: 'string', multiple: true, default: [] },
    tune: { type: 'boolean', default: false },
    merge: { type: 'string' },
    out: { type: 'string', default: 'out/varieties' },
  },
})
const given = Object.fromEntries(values.set!.map((each) => [each.split('=')[0], Number(each.split('=')[1])]))
const [first, last] = values.seeds!.includes('-')
  ? (values.seeds!.split('-').map(Number) as [number, number])
  : [1, Number(values.seeds)]
const say = (line: string): void => console.error(line)

/** One line of the results. */
interface Line extends Omit<Scores, 'trained'> {
  task: string
  arm: string
  seed: number
  texts: { trained: number; held: number }
}
const lines: Line[] = []

function add(task: Task, arm: string, seed: number, { trained, ...numbers }: Scores): void {
  lines.push({ task: task.name, arm, seed, ...numbers, texts: { trained, held: task.held.length } })
  say(`${task.name}  seed ${seed}  ${arm}: ${numbers.macro_f1.toFixed(4)}`)
  const about = { machine: machineFor('cpu'), settings: settingsOf() }
  writeResults(values.out!, { ...about, rows: lines }, `${tablesOf(lines)}\n`)
}

function settingsOf(): object {
  return {
    adapted: { ...ADAPTED, ...given },
    tweets: { ...TWEETS, ...given },
    bayes: { ...BAYES, ...given },
    tune: values.tune,
  }
}

const wants = (arm: string): boolean => values.arms === undefined || values.arms.split(';').includes(arm)
const families = new Map<string, Family>()
const adapted = new Map<string, Map<string, Tensor>>()

async function familyFor(kind: 'encoder' | 'decoder', task: Task, asBayes: boolean): Promise<Family> {
  const name = `${kind} of ${task.texts.length} texts${asBayes ? ', from naive Bayes' : ''}`
  const settings = { ...(asBayes ? BAYES : task.name === 'tweets' ? TWEETS : ADAPTED), ...given }
  const family = families.get(name) ?? new Family(kind, await tokenizerOf(task.texts, settings.vocabulary), settings)
  families.set(name, family)
  return family
}

async function adaptedFor(family: Family, task: Task, seed: number): Promise<Map<string, Tensor>> {
  const name = `${family.kind} of ${task.texts.length} texts, ${seed}`
  const known = adapted.get(name) ?? (await family.pretrain(task.texts, seed, say))
  adapted.set(name, known)
  return known
}

async function judgeAll(task: Task, seed: number): Promise<void> {
  const { name, labels, isSeveral, withCommon } = task
  const run = async (arm: string, scores: () => Scores | Promise<Scores>): Promise<void> => {
    if (wants(arm)) add(task, arm, seed, await scores())
  }
  // The linear one is the same for every seed of a task that always asks the same.
  if (seed === 1 || values.tune || name === 'tweets') {
    if (isSeveral) {
      const always = labels.map(() => 10)
      await run('every label, always', () => several(task, (_, texts) => texts.map(() => always), seed))
      await run('linear, combinations', () => combined(task, (all) => linear(all, false)))
      await run('linear, each label', () => several(task, linear(labels), seed))
    } else await run('linear', () => one(task, linear(labels)))
    if (withCommon.length > 0)
      await run('linear, common sentences too', () => one({ ...task, train: withCommon }, linear(labels)))
  }
  if (isSeveral) await run('identifier, combinations', () => combined(task, (all) => identifier(all, seed)))
  else await run('identifier', () => one(task, identifier(labels, seed)))
  for (const kind of ['encoder', 'decoder'] as const) {
    const scores = async (
      isAdapted: boolean,
      weighted: boolean,
      common = false,
      asBayes = false,
      isUntrained = false,
    ): Promise<Scores> => {
      const family = await familyFor(kind, task, asBayes)
      const known = isAdapted ? await adaptedFor(family, task, seed) : undefined
      const judge = neural(family, labels, seed, {
        ...(known && { known }),
        weighted,
        asBayes,
        isUntrained,
        isSeveral: isSeveral || common,
      })
      if (isSeveral) return several(task, judge, seed)
      return one(common ? { ...task, train: withCommon } : task, judge)
    }
    await run(kind, () => scores(true, true))
    await run(`${kind}, fresh`, () => scores(false, true))
    await run(`${kind}, labels not weighed`, () => scores(true, false))
    if (kind === 'encoder') {
      await run('encoder from naive Bayes, untrained', () => scores(false, true, false, true, true))
      await run('encoder from naive Bayes', () => scores(false, true, false, true))
      if (withCommon.length > 0)
        await run('encoder from naive Bayes, common sentences too', () => scores(false, true, true, true))
    }
    if (withCommon.length > 0) await run(`${kind}, common sentences too`, () => scores(true, true, true))
  }
}

const parts = values.merge?.split(',').map((folder) => JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')))
if (parts === undefined) {
  for (const name of values.tasks!.split(','))
    for (let seed = first; seed <= last; seed++) {
      if (values.tune || name === 'tweets') {
        // Those are of other texts.
        adapted.clear()
        families.clear()
      }
      await judgeAll(await taskOf(name, seed, values, values.tune), seed)
    }
  say(tablesOf(lines))
} else {
  const rows: Line[] = parts.flatMap((part) => part.rows)
  writeResults(values.out!, { machine: parts[0].machine, settings: settingsOf(), rows }, `${tablesOf(rows)}\n`)
}

function tablesOf(rows: readonly Line[]): string {
  const tables = [...new Set(rows.map(({ task }) => task))].map((task) => {
    const own = rows.filter((row) => row.task === task)
    const cells = [...new Set(own.map(({ arm }) => arm))].map((arm) => {
      const of = own.filter((row) => row.arm === arm)
      const { mean, halfWidth } = statistics(of.map(({ macro_f1 }) => macro_f1))
      const meanOf = (pick: (row: Line) => number | undefined): string =>
        pick(of[0]!) === undefined ? '' : statistics(of.map((row) => pick(row)!)).mean.toFixed(3)
      return [
        arm,
        mean.toFixed(3),
        Number.isNaN(halfWidth) ? 'one run' : `± ${halfWidth.toFixed(3)}`,
        of.map((row) => row.macro_f1.toFixed(3)).join(' '),
        meanOf((row) => row.at_half),
        meanOf((row) => row.ambiguous),
      ]
    })
    const { trained, held } = own[0]!.texts
    return markdownTable(
      `${task}: ${trained} sentences to learn from, ${held} held out`,
      ['arm', 'macro-F1', '95 %', 'seeds', 'at one half', 'of ambiguous'],
      cells,
    )
  })
  return tables.join('\n\n')
}
