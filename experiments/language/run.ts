// Close languages and varieties told apart: the identifier that is trained here against the library, by macro-F1 and calibration.
//   tsx experiments/language/run.ts --scala DIR --nordial DIR --dsl DIR [--seeds 3] [--out DIR]
// --scala: scala_{da,nb,nn,sv}_{train,val,test}.jsonl ({text}; of ScandEval, CC BY-SA 4.0). --nordial: {train,test}.jsonl ({text, label}). --dsl:
// ES_train.tsv (id, text, label). Texts are split by their hash and the seed before anything else; test texts that share eight of ten words with
// a training text are left out. Writes results.json and tables.md.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { LabelCounts } from '../../src/data/label-counts.ts'
import type { LanguageIdentifier } from '../../src/data/language/identifier.ts'
import { openLanguageIdentifier } from '../../src/data/language/identify-language.ts'
import { type LanguageSample, trainLanguageIdentifier } from '../../src/data/language/train-identifier.ts'
import { sideOf } from '../../src/data/split.ts'
import { withoutCopies } from '../setting/copies.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'

const { values } = parseArgs({
  options: {
    scala: { type: 'string' },
    nordial: { type: 'string' },
    dsl: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    out: { type: 'string', default: 'out/language' },
  },
})
const jsonl = (file: string): { text: string; label: string }[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
const scala = ['da', 'nb', 'nn', 'sv'].flatMap((label) =>
  ['train', 'val', 'test'].flatMap((side) =>
    jsonl(join(values.scala!, `scala_${label}_${side}.jsonl`)).map(({ text }) => ({ text, label })),
  ),
)
const nordial = ['train', 'test'].flatMap((side) => jsonl(join(values.nordial!, `${side}.jsonl`)))
const dsl = readFileSync(join(values.dsl!, 'ES_train.tsv'), 'utf8')
  .split(/\r?\n/)
  .filter((line) => line !== '')
  .map((line) => line.split('\t'))
  .map(([, text, label]) => ({ text: text!.replace(/^"|"$/g, '').replaceAll('""', '"'), label: label!.trim() }))
  .filter(({ label }) => ['ES', 'ES-ES', 'ES-AR'].includes(label))

type Line = {
  task: string
  arm: string
  seed: number
  macro_f1: number
  accuracy: number
  probability: number
  texts: number
  f1: Record<string, number>
}
const lines: Line[] = []
function measure(
  task: string,
  arm: string,
  seed: number,
  identifier: LanguageIdentifier,
  test: readonly LanguageSample[],
  merge: (label: string) => string = (label) => label,
  letters = Number.POSITIVE_INFINITY,
): void {
  const labels = [...new Set(test.map(({ label }) => merge(label)))].sort()
  const among = [...new Set(identifier.labels.filter((label) => labels.includes(merge(label))))]
  const counts = new LabelCounts(labels.length)
  let sure = 0
  for (const { text, label } of test) {
    const { ranking } = identifier.identify(text.slice(0, letters), { among, minLetters: 0 })
    sure += ranking[0]!.probability
    counts.add(labels.indexOf(merge(label)), labels.indexOf(merge(ranking[0]!.language)))
  }
  lines.push({
    task,
    arm,
    seed,
    macro_f1: counts.macroF1,
    accuracy: counts.accuracy,
    probability: sure / test.length,
    texts: test.length,
    f1: Object.fromEntries(labels.map((label, i) => [label, counts.f1(i)])),
  })
}

const eld = await openLanguageIdentifier('eld')
const noNorwegians = (label: string): string => (label === 'nb' || label === 'nn' ? 'no' : label)
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  const split = (rows: readonly LanguageSample[]): { train: LanguageSample[]; test: LanguageSample[] } => {
    const isTest = ({ text }: LanguageSample): boolean =>
      sideOf(text, { fraction: 0.2, salt: String(seed) }) === 'validation'
    const train = rows.filter((row) => !isTest(row))
    return { train, test: withoutCopies(train, rows.filter(isTest)) }
  }
  const north = split(scala)
  const own = trainLanguageIdentifier(north.train, { seed })
  measure('da, nb, nn, sv', 'own', seed, own, north.test)
  for (const [arm, identifier] of [
    ['own', own],
    ['eld', eld],
  ] as const) {
    measure('da, no, sv', arm, seed, identifier, north.test, noNorwegians)
    measure('da, no, sv: 40 characters', arm, seed, identifier, north.test, noNorwegians, 40)
    measure('da, no, sv: 20 characters', arm, seed, identifier, north.test, noNorwegians, 20)
  }
  measure('da, nb, nn, sv: 40 characters', 'own', seed, own, north.test, undefined, 40)
  measure('da, nb, nn, sv: 20 characters', 'own', seed, own, north.test, undefined, 20)
  // Tweets by the identifier of sentences from newspapers and parliaments, and by one that was trained on tweets.
  const two = nordial.flatMap(({ text, label }) =>
    label === 'bokmål' ? [{ text, label: 'nb' }] : label === 'nynorsk' ? [{ text, label: 'nn' }] : [],
  )
  measure('tweets, nb, nn', 'own, of sentences', seed, own, two)
  const tweets = split(nordial)
  measure(
    'tweets: bokmål, nynorsk, dialect, mixed',
    'own',
    seed,
    trainLanguageIdentifier(tweets.train, { seed }),
    tweets.test,
  )
  const spanish = split(dsl)
  measure('Spanish: ES-ES, ES-AR, both', 'own', seed, trainLanguageIdentifier(spanish.train, { seed }), spanish.test)
  const clear = split(dsl.filter(({ label }) => label !== 'ES'))
  measure('Spanish: ES-ES, ES-AR', 'own', seed, trainLanguageIdentifier(clear.train, { seed }), clear.test)
}
const groups = [...new Set(lines.map(({ task, arm }) => `${task}\t${arm}`))]
const table = groups.map((group) => {
  const of = lines.filter(({ task, arm }) => `${task}\t${arm}` === group)
  const { mean, halfWidth } = statistics(of.map(({ macro_f1 }) => macro_f1))
  const worth = (pick: (line: Line) => number): string => statistics(of.map(pick)).mean.toFixed(3)
  return [
    ...group.split('\t'),
    mean.toFixed(3),
    `± ${halfWidth.toFixed(3)}`,
    worth(({ accuracy }) => accuracy),
    worth(({ probability }) => probability),
  ]
})
writeResults(
  values.out!,
  {
    machine: machineFor('cpu'),
    settings: { seeds: values.seeds },
    texts: { scala: scala.length, nordial: nordial.length, dsl: dsl.length },
    rows: lines,
  },
  `${markdownTable(`Languages and varieties, ${values.seeds} splits`, ['task', 'identifier', 'macro-F1', '95 %', 'right', 'mean probability'], table)}\n`,
)
