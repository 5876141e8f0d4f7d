// npx tsx experiments/ei-arag/run.ts [--quick] [--seeds N] --out DIR: does the first block tell more than the question's words?
// Only --quick has been run so far, with one seed: its model learns facts and does not learn to read passages, so it says nothing of gates.
// A language model is trained on a toy world; every question is asked with and without its passage; all gates are measured.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { batches } from '../../src/data/batches.ts'
import { Engine } from '../../src/infer/engine.ts'
import { questionVector } from '../../src/prompting/base/question-probe.ts'
import { recordAnswers } from '../../src/run/gate/record-answers.ts'
import { type GateSweep, sweepGates, type VectorRecord } from '../../src/run/gate/sweep-gates.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { pretrainSmall, tokenizerOf } from '../setting/small-llama.ts'
import { packed } from '../setting/texts.ts'
import { makeWorld } from './world.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, seeds: { type: 'string', default: '5' }, out: { type: 'string' } },
})
if (values.out === undefined) throw new Error('--out: expected a folder for results.json and tables.md, got none')
const SIZE = values.quick
  ? { entities: 300, statements: 6000, reading: 1500, corrupted: 0.35 }
  : { entities: 4000, statements: 80_000, reading: 18_000, corrupted: 0.35 }
const SHAPE = values.quick
  ? { layers: 2, hidden: 96, feedForward: 256, vocabulary: 700, pretrainSteps: 700 }
  : { layers: 4, hidden: 128, feedForward: 344, vocabulary: 900, pretrainSteps: 1300 }
const LENGTH = 64
const ROWS = 10

const sweeps: GateSweep[] = []
for (let seed = 1; seed <= (values.quick ? 1 : Number(values.seeds)); seed++) {
  const { texts, questions } = makeWorld(SIZE, seed)
  const tokenizer = await tokenizerOf(texts, SHAPE)
  const source = batches(await packed(texts, tokenizer, LENGTH), { batchSize: ROWS, seed })
  const model = await pretrainSmall(SHAPE, tokenizer.vocabSize, source, seed, console.error)
  const lm = new Engine({ model, tokenizer, info: { name: `toy world ${seed}` } })
  const records: VectorRecord[] = []
  for (const record of await recordAnswers(lm, questions, {})) {
    const vectors: Float32Array[] = []
    for (let layer = 0; layer <= SHAPE.layers; layer++) vectors.push(await questionVector(lm, record.question, layer))
    records.push({ ...record, vectors })
  }
  for (const label of ['better', 'parametric-wrong'] as const) {
    const words = (question: string): string[] => lm.encode({ prompt: question, addSpecialTokens: false }).map(String)
    sweeps.push(await sweepGates(records, { label, seed, words }))
  }
  lm.free()
  console.error(`seed ${seed} done`)
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, value) => sum + value, 0) / numbers.length
const tables = (['better', 'parametric-wrong'] as const).map((label) => {
  const own = sweeps.filter((sweep) => sweep.label === label)
  const rows = own[0]!.gates.map(({ gate }) => {
    const all = own.flatMap(({ gates }) => gates.filter((result) => result.gate === gate))
    const figure = (of: (result: (typeof all)[number]) => number | null): string => {
      const numbers = all.flatMap((result) => of(result) ?? [])
      return numbers.length === 0 ? '' : mean(numbers).toFixed(3)
    }
    const [accuracy, retrieved] = [figure((one) => one.accuracy), figure((one) => one.retrieverCalls)]
    return `| ${gate} | ${accuracy} | ${retrieved} | ${figure((one) => one.auc)} | ${figure((one) => one.aucWithinRelations)} | ${figure((one) => one.gain)} |`
  })
  return [
    `Label ${label}, means of ${own.length} seeds`,
    '',
    '| gate | accuracy | retrieved | AUC | AUC within relations | gain of area |',
    '| --- | --: | --: | --: | --: | --: |',
    ...rows,
    '',
  ].join('\n')
})
writeResults(join(values.out), { machine: machineFor('cpu'), size: SIZE, shape: SHAPE, sweeps }, tables.join('\n'))
console.log(tables.join('\n'))
