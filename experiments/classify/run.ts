// Two varieties of Spanish (DSL-TL, arXiv:2303.01490) told apart by a small encoder that has seen nothing but the training sentences: masked
// language modelling on them first, then their labels; against character n-grams.
//   tsx experiments/classify/run.ts --data DIR [--seeds 3] [--mlm-epochs 4] [--epochs 10] [--plain] [--tune] [--out DIR]
// DIR has ES_train.tsv and ES_dev.tsv (id, text, label). --plain adds an arm without the masked language modelling; --tune holds a tenth of
// the training sentences out in place of the dev set. Writes results.json and tables.md into DIR (default out/classify).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { batches } from '../../src/data/batches.ts'
import { maskedBatches } from '../../src/data/masking.ts'
import type { Dataset, Sample } from '../../src/data/sample.ts'
import { sideOf } from '../../src/data/split.ts'
import { framedText } from '../../src/data/tuning/framed-text.ts'
import { readEncoderConfig } from '../../src/model/encoder/config-read.ts'
import { Encoder } from '../../src/model/encoder/encoder.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import { Tokenizer } from '../../src/text/tokenizer.ts'
import { noGrad, scope } from '../../src/torch/index.ts'
import { classification } from '../../src/train/classification.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { maskedLanguageModeling } from '../../src/train/masked-lm.ts'
import type { Objective } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'
import { linearBaseline, type Row } from './linear.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    'mlm-epochs': { type: 'string', default: '4' },
    epochs: { type: 'string', default: '10' },
    vocabulary: { type: 'string', default: '4000' },
    rate: { type: 'string', default: '2e-3' },
    layers: { type: 'string', default: '1' },
    hidden: { type: 'string', default: '64' },
    decay: { type: 'string', default: '0.1' },
    masked: { type: 'string', default: '0.3' },
    dropout: { type: 'string', default: '0.5' },
    plain: { type: 'boolean', default: false },
    tune: { type: 'boolean', default: false },
    out: { type: 'string', default: 'out/classify' },
  },
})
const say = (line: string): void => console.error(line)
const LABELS = ['ES-AR', 'ES-ES']
const SPECIAL = ['[PAD]', '[CLS]', '[SEP]', '[MASK]', '[UNK]']
const LENGTH = 128

const readRows = (file: string): { text: string; label: string }[] =>
  readFileSync(join(values.data!, file), 'utf8')
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
    .map(([, text, label]) => ({ text: text!.replace(/^"|"$/g, '').replaceAll('""', '"'), label: label!.trim() }))
const known = (rows: { text: string; label: string }[]): Row[] =>
  rows.filter(({ label }) => LABELS.includes(label)).map(({ text, label }) => ({ text, label: LABELS.indexOf(label) }))

const all = readRows('ES_train.tsv')
const isHeld = ({ text }: { text: string }): boolean => sideOf(text, { fraction: 0.1 }) === 'validation'
const texts = (values.tune ? all.filter((row) => !isHeld(row)) : all).map(({ text }) => text)
const trained = known(values.tune ? all.filter((row) => !isHeld(row)) : all)
const held = known(values.tune ? all.filter(isHeld) : readRows('ES_dev.tsv'))

async function tokenizerOf(): Promise<Tokenizer> {
  const { json } = await trainBpe(texts, { vocabSize: Number(values.vocabulary), specialTokens: SPECIAL })
  const special = (token: string): object => ({ SpecialToken: { id: token, type_id: 0 } })
  return Tokenizer.fromJson({
    ...json,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [special('[CLS]'), { Sequence: { id: 'A', type_id: 0 } }, special('[SEP]')],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map((token) => [token, { id: token, ids: [SPECIAL.indexOf(token)], tokens: [token] }]),
      ),
    },
  })
}

const tokenizer = await tokenizerOf()
const datasetOf = (rows: readonly { text: string; label: number }[]): Dataset<Sample> => {
  const samples = rows.map(({ text, label }) => {
    const { ids } = framedText(tokenizer, text, LENGTH)
    return { ids, labels: ids.map((_, i) => (i === 0 ? label : -100)) }
  })
  return { length: samples.length, get: (i) => samples[i]! }
}
const configOf = (kind: 'mlm' | 'classify') =>
  readEncoderConfig(
    {
      model_type: 'modernbert',
      vocab_size: tokenizer.vocabSize,
      hidden_size: Number(values.hidden),
      intermediate_size: 2 * Number(values.hidden),
      num_hidden_layers: Number(values.layers),
      num_attention_heads: 4,
      max_position_embeddings: LENGTH,
      pad_token_id: 0,
      local_attention: 16,
      classifier_pooling: 'mean',
      embedding_dropout: Number(values.dropout),
      attention_dropout: 0.1,
      classifier_dropout: Number(values.dropout),
    },
    'config',
    kind === 'mlm' ? { kind } : { kind, labels: LABELS },
  )

async function run<T>(
  model: Encoder,
  source: ReturnType<typeof batches>,
  objective: Objective<T & never>,
  epochs: number,
  rate: number,
  seed: number,
): Promise<number> {
  const steps = Math.round(source.batchesPerEpoch * epochs)
  const schedule = makeSchedule('cosine', { steps, warmupSteps: Math.round(steps / 10) } as never)
  model.trainable()
  let loss = Number.NaN
  for await (const event of train(model, source as never, objective as never, {
    steps,
    learningRate: rate,
    schedule,
    seed,
    optimizer: { weightDecay: Number(values.decay) },
  }))
    if (event.type === 'step-done') loss = event.metrics.loss
  return loss
}

/** Hides some tokens of the texts whose labels are learnt: what is left must do. */
function withHidden(source: ReturnType<typeof batches>, seed: number): ReturnType<typeof batches> {
  const share = Number(values.masked)
  if (share === 0) return source
  const hidden = maskedBatches(source, {
    maskId: 3,
    vocabSize: tokenizer.vocabSize,
    isSpecial: (id) => id < SPECIAL.length,
    probability: share,
    maskShare: 1,
    randomShare: 0,
    seed,
  })
  return { ...source, at: (index) => ({ ...hidden.at(index), labels: source.at(index).labels }) }
}

async function arm(seed: number, mlmEpochs: number): Promise<Record<string, number>> {
  const started = performance.now()
  const first = Encoder.fresh(configOf('mlm'), { seed })
  if (mlmEpochs > 0) {
    const source = batches(datasetOf(texts.map((text) => ({ text, label: -100 }))), { batchSize: 32, seed })
    const masked = maskedBatches(source, {
      maskId: 3,
      vocabSize: tokenizer.vocabSize,
      isSpecial: (id) => id < SPECIAL.length,
      seed,
    })
    say(`  mlm loss ${await run(first, masked, maskedLanguageModeling() as never, mlmEpochs, 2e-3, seed)}`)
  }
  const bodies = new Map([...first.parameters()].filter(([path]) => path.startsWith('model.')))
  const model = Encoder.fresh(configOf('classify'), { seed: seed + 100 })
  scope(() =>
    noGrad(() => {
      for (const [path, parameter] of model.parameters()) if (bodies.has(path)) parameter.copy_(bodies.get(path)!)
    }),
  )
  first.free()
  const counts = LABELS.map((_, label) => trained.filter((row) => row.label === label).length)
  const objective = classification(
    2,
    counts.map((count) => trained.length / (2 * count)),
  )
  const loss = await run(
    model,
    withHidden(batches(datasetOf(trained), { batchSize: 16, seed }), seed),
    objective as never,
    Number(values.epochs),
    Number(values.rate),
    seed,
  )
  const metrics = await evaluate(model, batches(datasetOf(held), { batchSize: 32, shuffle: false }), objective)
  model.free()
  const { eval_macro_f1, eval_mcc, eval_accuracy } = metrics
  return {
    macro_f1: eval_macro_f1!,
    mcc: eval_mcc!,
    accuracy: eval_accuracy!,
    train_loss: loss,
    seconds: (performance.now() - started) / 1000,
  }
}

const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1)
const rows: Record<string, unknown>[] = []
for (const seed of seeds) {
  const linear = linearBaseline(trained, held, 2, seed)
  rows.push({ arm: 'character n-grams', seed, macro_f1: linear.macroF1, mcc: linear.mcc, accuracy: linear.accuracy })
  say(`seed ${seed}: n-grams ${linear.macroF1.toFixed(4)}`)
  for (const mlmEpochs of values.plain ? [Number(values['mlm-epochs']), 0] : [Number(values['mlm-epochs'])]) {
    const result = await arm(seed, mlmEpochs)
    rows.push({ arm: mlmEpochs > 0 ? 'encoder, pre-trained' : 'encoder', seed, ...result })
    say(
      `seed ${seed}: encoder with ${mlmEpochs} epochs of mlm ${result.macro_f1!.toFixed(4)} (train loss ${result.train_loss!.toFixed(3)}, ${result.seconds!.toFixed(0)} s)`,
    )
  }
}
const arms = [...new Set(rows.map((row) => row.arm as string))]
const table = arms.map((name) => {
  const scores = rows.filter((row) => row.arm === name).map((row) => row.macro_f1 as number)
  const { mean, halfWidth } = statistics(scores)
  return [name, mean.toFixed(3), `± ${halfWidth.toFixed(3)}`, scores.map((score) => score.toFixed(3)).join(', ')]
})
const texts_ = { trained: trained.length, held: held.length, unlabelled: texts.length }
writeResults(
  values.out!,
  {
    machine: machineFor('cpu'),
    settings: { ...values, data: undefined, out: undefined },
    texts: texts_,
    rows,
  },
  `${markdownTable('DSL-TL Spanish, two varieties', ['arm', 'macro-F1', '95 %', 'seeds'], table as never)}\n`,
)
say(table.map((row) => row.join('  ')).join('\n'))
