// What scorers of toxicity are worth that are trained from the texts at hand: a list of words, character n-grams, a small encoder from scratch.
//   tsx experiments/debias-detox/scorers.ts --data DIR --work DIR [--encoder-epochs 2] [--out FILE]
// --data: toxicity/davidson_labeled_data.csv and toxicity/words/{en,da}.txt, paradetox/paradetox.tsv, scandinavian/dkhate/{train,test}.jsonl, and
// what real-texts.ts reads for the tokenizer. --work keeps the trained scorers, for real.ts. Writes numbers alone.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { trainConfig } from '../../src/config/parse.ts'
import type { ScorerReport } from '../../src/eval/toxicity/measure-scorer.ts'
import { measureToxicity } from '../../src/run/measure-toxicity.ts'
import { runTraining } from '../../src/run/train/run-training.ts'
import { machineFor } from '../setting/results.ts'
import { identityTexts } from './identity-texts.ts'
import { makeTexts } from './real-pretrain.ts'
import { danishPosts, heldOut, type Labelled, pairs, tweets } from './real-texts.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    work: { type: 'string' },
    'encoder-epochs': { type: 'string', default: '2' },
    out: { type: 'string', default: 'out/scorers.json' },
  },
})
const data = values.data!
const work = values.work!
mkdirSync(work, { recursive: true })
const at = (name: string): string => join(work, name)
const write = (name: string, rows: readonly object[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return at(name)
}

// Both sides of a pair go where its toxic sentence goes.
const sides = (pair: { toxic: string; neutral: string }): Labelled[] => [
  { text: pair.toxic, label: 'toxic', language: 'en' },
  { text: pair.neutral, label: 'neutral', language: 'en' },
]
const all = tweets(data)
const held = {
  tweets: all.filter(({ text }) => heldOut(text)),
  pairs: pairs(data)
    .filter(({ toxic }) => heldOut(toxic))
    .flatMap(sides),
  danish: danishPosts(data, 'test'),
}
const learnt = {
  tweets: all.filter(({ text }) => !heldOut(text)),
  pairs: pairs(data)
    .filter(({ toxic }) => !heldOut(toxic))
    .flatMap(sides),
  danish: danishPosts(data, 'train'),
}
const english = write('scorer-train-en.jsonl', [...learnt.tweets, ...learnt.pairs])
const train = write('scorer-train.jsonl', [...learnt.tweets, ...learnt.pairs, ...learnt.danish])
write(
  'scorer-train-kinds.jsonl',
  learnt.tweets.map(({ text, kind }) => ({ text, label: kind })),
)
const words = ['en', 'da'].map((language) => readFileSync(join(data, `toxicity/words/${language}.txt`), 'utf8'))
writeFileSync(at('words.txt'), words.join('\n'))
const tests = {
  tweets: write('scorer-held-tweets.jsonl', held.tweets),
  pairs: write('scorer-held-pairs.jsonl', held.pairs),
  danish: write('scorer-held-danish.jsonl', held.danish),
  all: write('scorer-held.jsonl', [...held.tweets, ...held.pairs, ...held.danish]),
  identities: write('scorer-identities.jsonl', identityTexts(words[0]!.split(/\r?\n/))),
}

const NGRAMS = { stage: 'classify' as const, model: { model_type: 'ngrams', bits: 18 }, num_train_epochs: 10, seed: 1 }
await learn('ngrams', { ...NGRAMS, dataset: train })
await learn('ngrams-en', { ...NGRAMS, dataset: english })
const kinds = await learn('ngrams-kinds', {
  ...NGRAMS,
  dataset: at('scorer-train-kinds.jsonl'),
  eval_dataset: write(
    'scorer-held-kinds.jsonl',
    held.tweets.map(({ text, kind }) => ({ text, label: kind })),
  ),
})
if (values['encoder-epochs'] !== '0')
  await learn('encoder', {
    stage: 'classify',
    model: {
      model_type: 'modernbert',
      hidden_size: 128,
      intermediate_size: 256,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      max_position_embeddings: 64,
      local_attention: 32,
      classifier_pooling: 'mean',
      embedding_dropout: 0.1,
      classifier_dropout: 0.1,
    },
    tokenizer_name_or_path: (await makeTexts(data, work)).tokenizer,
    dataset: train,
    max_length: 64,
    class_weights: 'balanced',
    num_train_epochs: Number(values['encoder-epochs']),
    per_device_train_batch_size: 32,
    per_device_eval_batch_size: 64,
    learning_rate: 1e-3,
    lr_scheduler_type: 'cosine',
    warmup_steps: 0.1,
    weight_decay: 0.1,
    save_strategy: 'no',
    seed: 1,
  })

const scorers: Record<string, Record<string, object>> = {}
for (const name of ['words.txt', 'ngrams-en', 'ngrams', 'encoder']) {
  if (!existsSync(at(name))) continue
  const reports: Record<string, ScorerReport> = {}
  for (const [set, path] of Object.entries(tests)) reports[set] = await measure(name, path, set)
  scorers[name] = Object.fromEntries(Object.entries(reports).map(([set, report]) => [set, report]))
}
const size = (sets: Record<string, readonly Labelled[]>): Record<string, { texts: number; toxic: number }> =>
  Object.fromEntries(
    Object.entries(sets).map(([name, texts]) => [
      name,
      { texts: texts.length, toxic: texts.filter(({ label }) => label === 'toxic').length },
    ]),
  )
const results = {
  machine: machineFor('cpu'),
  learnt: size(learnt),
  held: size(held),
  three_kinds: kinds,
  scorers,
}
writeFileSync(values.out, `${JSON.stringify(results, null, 1)}\n`)

/** Trains once; returns what was measured on held-out texts. */
async function learn(name: string, keys: Omit<Parameters<typeof trainConfig>[0], 'output_dir'>): Promise<object> {
  const file = at(`${name}.metrics.json`)
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'))
  const events = runTraining(trainConfig({ ...keys, output_dir: at(name) }))
  while (true) {
    const next = await events.next()
    if (next.done) {
      writeFileSync(file, JSON.stringify(next.value.metrics))
      return next.value.metrics
    }
    const event = next.value
    if (event.type === 'notice') console.error(event.message)
    if (event.type === 'step-done' && event.metrics.step % 100 === 0)
      console.error(`${name}, step ${event.metrics.step}: loss ${event.metrics.loss.toFixed(3)}`)
  }
}

/** All figures of one scorer on one set; those of all sets are kept beside it. */
async function measure(name: string, path: string, set: string): Promise<ScorerReport> {
  const columns = { languageColumn: 'language', ...(set === 'identities' && { groupColumn: 'group' }) }
  const events = measureToxicity({ scorer: at(name), paths: [path], ...columns, save: set === 'all' })
  while (true) {
    const next = await events.next()
    if (!next.done) continue
    const { scorer: _, ...report } = next.value
    console.error(`${name}, ${set}: AUC ${report.auc.toFixed(3)}, F1 ${report.best.f1.toFixed(3)}`)
    return report
  }
}
