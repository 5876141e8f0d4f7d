// What a data map finds on DSL-TL Spanish (arXiv:2303.01490): sentences that are good in both varieties (label ES) get one of them, and a
// tenth of the others the wrong one; then every score is asked which are which. A linear model and a small encoder; logits during an
// epoch, after it, and cross-fitted.
//   tsx experiments/datamaps/run.ts --data DIR [--model linear|encoder] [--seeds 5] [--epochs 8] [--folds 5] [--settings random,prior,…] [--out DIR]
// DIR has ES_train.tsv (id, text, label). Writes results.json and tables.md after every seed. Asserts nothing: all rows are told.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Coordinates, coordinatesOf } from '../../src/data/datamap/coordinates.ts'
import { detectionOf } from '../../src/data/datamap/detection.ts'
import type { Dynamics, DynamicsTime } from '../../src/data/datamap/dynamics-files.ts'
import { foldOf } from '../../src/data/split.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'
import { encoderDynamics, type Learn } from './encoder.ts'
import { featuresOf, Linear } from './linear.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    model: { type: 'string', default: 'linear' },
    seeds: { type: 'string', default: '5' },
    epochs: { type: 'string', default: '8' },
    folds: { type: 'string', default: '5' },
    rate: { type: 'string', default: '0.1' },
    flips: { type: 'string', default: '0.1' },
    settings: { type: 'string', default: 'random,prior,all ES-ES,all ES-AR' },
    when: { type: 'string', default: 'during,after,crossfit' },
    out: { type: 'string', default: 'out/datamaps' },
  },
})
const LABELS = ['ES-AR', 'ES-ES']
const epochs = Number(values.epochs)
const folds = Number(values.folds)
const rows = readFileSync(join(values.data!, 'ES_train.tsv'), 'utf8')
  .split(/\r?\n/)
  .filter((line) => line !== '')
  .map((line) => line.split('\t'))
  .map(([, text, label]) => ({ text: text!.replace(/^"|"$/g, '').replaceAll('""', '"'), label: label!.trim() }))
  .filter(({ label }, _, all) => all.filter((row) => row.label === label).length > 1)
const isCommon = rows.map(({ label }) => label === 'ES')
const prior = rows.filter(({ label }) => label === 'ES-ES').length / isCommon.filter((common) => !common).length
const features = rows.map(({ text }) => featuresOf(text))

interface Case {
  gold: number[]
  isFlipped: boolean[]
}

/** The labels that are learnt: those of common sentences by the setting, a share of the others wrong. */
function caseOf(setting: string, seed: number): Case {
  let state = (seed * 7919 + 13) >>> 0
  const random = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  const share = { random: 0.5, prior, 'all ES-ES': 1, 'all ES-AR': 0 }[setting]
  if (share === undefined) throw new Error(`--settings: expected random, prior, all ES-ES or all ES-AR, got ${setting}`)
  const isFlipped = rows.map((_, i) => !isCommon[i] && random() < Number(values.flips))
  const gold = rows.map(({ label }, i) => {
    if (isCommon[i]) return random() < share ? 1 : 0
    const own = LABELS.indexOf(label)
    return isFlipped[i] ? 1 - own : own
  })
  return { gold, isFlipped }
}

const linear: Learn = async (train, judged, gold, when, seed) => {
  const model = new Linear(2, { rate: Number(values.rate), seed })
  const learnt = train.map((index) => ({ features: features[index]!, label: gold[index]!, index }))
  const balance = balanceOf(learnt.map(({ label }) => label))
  const logits = new Map(judged.map((index) => [index, [] as number[]]))
  for (let epoch = 0; epoch < epochs; epoch++) {
    model.epoch(learnt, balance, when === 'during' ? (index, own) => logits.get(index)?.push(...own) : undefined)
    if (when !== 'during') for (const index of judged) logits.get(index)!.push(...model.logits(features[index]!))
  }
  return logits
}

function balanceOf(labels: readonly number[]): number[] {
  return LABELS.map((_, label) => labels.length / (2 * Math.max(1, labels.filter((own) => own === label).length)))
}

const learn =
  values.model === 'encoder'
    ? await encoderDynamics(
        rows.map(({ text }) => text),
        { epochs, balanceOf },
      )
    : linear

async function dynamicsOf(gold: readonly number[], when: DynamicsTime, seed: number): Promise<Dynamics> {
  const all = rows.map((_, i) => i)
  const logits = new Map<number, number[]>()
  const parts = when === 'crossfit' ? Array.from({ length: folds }, (_, fold) => fold) : [-1]
  for (const fold of parts) {
    const judged = fold < 0 ? all : all.filter((i) => foldOf(rows[i]!.text, folds) === fold)
    const train = fold < 0 ? all : all.filter((i) => foldOf(rows[i]!.text, folds) !== fold)
    for (const [index, own] of await learn(train, judged, gold, when, seed)) logits.set(index, own)
  }
  const examples = all.map((i) => ({ guid: String(i), gold: gold[i]!, logits: Float32Array.from(logits.get(i)!) }))
  return { when, labels: LABELS, epochs, examples, notices: [] }
}

/** Higher is more suspicious. */
const SCORES: Readonly<Record<string, (place: Coordinates) => number>> = {
  'gold confidence': ({ goldConfidence }) => -goldConfidence,
  'predicted confidence': ({ predictedConfidence }) => -predictedConfidence,
  variability: ({ variability }) => variability,
  loss: ({ loss }) => loss,
  AUM: ({ aum }) => -aum,
  forgetting: ({ forgetting }) => forgetting,
  'confident learning': ({ isConfidentError }) => Number(isConfidentError),
  Borda: ({ borda }) => borda,
}

type Line = {
  when: string
  setting: string
  seed: number
  target: string
  score: string
  base: number
  ap: number
  auc: number
  p10: number
}
const lines: Line[] = []
for (let seed = 1; seed <= Number(values.seeds); seed++)
  for (const setting of values.settings!.split(','))
    for (const when of values.when!.split(',') as DynamicsTime[]) {
      const { gold, isFlipped } = caseOf(setting, seed)
      const places = coordinatesOf(await dynamicsOf(gold, when, seed))
      for (const [target, positives] of [
        ['common', isCommon],
        ['flipped', isFlipped],
      ] as const)
        for (const [score, of] of Object.entries(SCORES)) {
          const { base, ap, auc, precisionAtTenth } = detectionOf(places.map(of), positives)
          lines.push({ when, setting, seed, target, score, base, ap, auc, p10: precisionAtTenth })
        }
      const last = (score: string, target: string): string =>
        lines.findLast((line) => line.score === score && line.target === target)!.auc.toFixed(3)
      console.error(
        `seed ${seed}, ${setting}, ${when}: common gold ${last('gold confidence', 'common')} predicted ${last('predicted confidence', 'common')}; flipped gold ${last('gold confidence', 'flipped')} predicted ${last('predicted confidence', 'flipped')}`,
      )
      leave()
    }

function leave(): void {
  const groups = [...new Set(lines.map(({ when, setting }) => `${when}\t${setting}`))]
  const cell = (of: (line: Line) => number, group: string, target: string, score: string): string => {
    const own = lines.filter(
      (line) => `${line.when}\t${line.setting}` === group && line.target === target && line.score === score,
    )
    const { mean, deviation } = statistics(own.map(of))
    return `${mean.toFixed(3)}${Number.isNaN(deviation) ? '' : ` ± ${deviation.toFixed(3)}`}`
  }
  const tables = (['common', 'flipped'] as const).flatMap((target) =>
    (['auc', 'ap'] as const).map((metric) => {
      const base = lines.find((line) => line.target === target)!.base.toFixed(3)
      return markdownTable(
        `${target}, ${metric === 'auc' ? 'AUC (chance .5)' : `average precision (chance ${base})`}: mean ± deviation over ${Math.max(...lines.map(({ seed }) => seed))} seeds`,
        ['logits', 'labels of common sentences', ...Object.keys(SCORES)],
        groups.map((group) => [
          ...group.split('\t'),
          ...Object.keys(SCORES).map((score) => cell((line) => line[metric], group, target, score)),
        ]),
      )
    }),
  )
  const texts = { all: rows.length, common: isCommon.filter(Boolean).length }
  const settings = { ...values, data: undefined, out: undefined }
  writeResults(values.out!, { machine: machineFor('cpu'), settings, texts, rows: lines }, `${tables.join('\n\n')}\n`)
}
