// Real text: small multilingual models of our own, tuned on English pairs of a toxic and a neutral ending, and asked in eight languages.
//   tsx experiments/debias-detox/real.ts --data DIR --work DIR [--seeds 2] [--pretrain-steps 800] [--steps 200] [--rates 1e-4,5e-4] [--prompts 25] [--out FILE]
// --data is what real-texts.ts reads and toxicity/prompts/{en,es,pt,fr,de,sv,nl,it}.jsonl; --work has the scorers that scorers.ts left. The arms
// have one adapter and one number of steps: DPO, and SFT on the endings that DPO prefers. What was measured is kept after every model; a run
// goes on where it stopped. Writes numbers alone.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { trainConfig } from '../../src/config/parse.ts'
import { openLanguageIdentifier } from '../../src/data/language/identify-language.ts'
import type { ScorerMeasurement, ToxicityScorer } from '../../src/eval/toxicity/scorer.ts'
import { loadLm } from '../../src/run/load-lm.ts'
import { openScorer } from '../../src/run/open-scorer.ts'
import { runTraining } from '../../src/run/train/run-training.ts'
import { machineFor } from '../setting/results.ts'
import { type Measured, measureModel, wordLists } from './real-measure.ts'
import { pretrained } from './real-pretrain.ts'
import { heldOut, pairs, plainTexts } from './real-texts.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    work: { type: 'string' },
    seeds: { type: 'string', default: '2' },
    'pretrain-steps': { type: 'string', default: '800' },
    steps: { type: 'string', default: '200' },
    rates: { type: 'string', default: '1e-4,5e-4' },
    prompts: { type: 'string', default: '25' },
    out: { type: 'string', default: 'out/real.json' },
  },
})
const data = values.data!
const work = values.work!
const steps = Number(values.steps)
const prompts = Number(values.prompts)
const plain = plainTexts(data)

interface Cell {
  seed: number
  arm: 'none' | 'sft-chosen' | 'dpo'
  rate: number
  /** Log-probability of the neutral ending less that of the toxic one, nats, and how often it is above 0, on pairs that nobody learnt from. */
  margin: number
  preferred: number
  languages: Record<string, Measured>
}

/** An English beginning of two words or more, and the two ways to go on. */
interface Row {
  prompt: string
  chosen: string
  rejected: string
}

const rows: Row[] = []
const heldRows: Row[] = []
for (const { toxic, neutral } of pairs(data)) {
  const [bad, good] = [toxic.split(' '), neutral.split(' ')]
  const least = Math.min(bad.length, good.length) - 1
  let same = 0
  while (same < least && bad[same]!.toLowerCase() === good[same]!.toLowerCase()) same++
  if (same < 2) continue
  const rest = (words: readonly string[]): string => ` ${words.slice(same).join(' ')}`
  const row = { prompt: bad.slice(0, same).join(' '), chosen: rest(good), rejected: rest(bad) }
  if (heldOut(toxic)) heldRows.push(row)
  else rows.push(row)
}
const pairsFile = join(work, 'pairs.jsonl')
writeFileSync(pairsFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
const answersFile = join(work, 'answers.jsonl')
writeFileSync(
  answersFile,
  rows.map(({ prompt, chosen }) => `${JSON.stringify({ prompt, completion: chosen })}\n`).join(''),
)

const cells: Cell[] = existsSync(values.out) ? JSON.parse(readFileSync(values.out, 'utf8')).cells : []
const opened = await Promise.all(
  ['ngrams', 'encoder']
    .filter((name) => existsSync(join(work, name)))
    .map(async (name) => [name, await openScorer(join(work, name))] as const),
)
const scorers: Record<string, ToxicityScorer> = {
  words: wordLists(data, (await openScorer(join(work, 'words.txt'))).scorer),
  ...Object.fromEntries(opened.map(([name, { scorer }]) => [name, scorer])),
}
const identifier = await openLanguageIdentifier()

for (let seed = 1; seed <= Number(values.seeds); seed++) {
  const base = await pretrained(data, work, seed, Number(values['pretrain-steps']))
  await cell(seed, 'none', 0, () => Promise.resolve(base))
  for (const rate of values.rates.split(',').map(Number))
    for (const arm of ['dpo', 'sft-chosen'] as const) await cell(seed, arm, rate, () => tuned(base, arm, rate, seed))
}
for (const [, { close }] of opened) close()

/** Measures a model once. */
async function cell(seed: number, arm: Cell['arm'], rate: number, make: () => Promise<string>): Promise<void> {
  if (cells.some((one) => one.seed === seed && one.arm === arm && one.rate === rate)) return
  const lm = await loadLm(await make(), { batchSize: 64 })
  const { margin, preferred } = await margins(lm)
  const languages = await measureModel(lm, data, prompts, scorers, identifier, plain.held)
  lm.free()
  cells.push({ seed, arm, rate, margin, preferred, languages })
  for (const [language, { toxicity, ...others }] of Object.entries(languages))
    console.error(
      `seed ${seed}, ${arm} ${rate}, ${language}: margin ${margin.toFixed(2)}, ${JSON.stringify({ toxicity, ...others })}`,
    )
  keep()
}

/** An adapter of rank 8 on all linear layers, merged nowhere. */
async function tuned(base: string, arm: 'dpo' | 'sft-chosen', rate: number, seed: number): Promise<string> {
  const out = join(work, `${arm}-${rate}-${seed}`)
  const config = trainConfig({
    stage: arm === 'dpo' ? 'dpo' : 'sft',
    finetuning: 'lora',
    model_name_or_path: base,
    dataset: arm === 'dpo' ? pairsFile : answersFile,
    max_length: 128,
    on_overlong: 'drop',
    ...(arm === 'dpo' && { beta: 0.1, precompute_ref_log_probs: true }),
    lora_r: 8,
    lora_alpha: 16,
    lora_target_modules: 'all-linear',
    per_device_train_batch_size: 8,
    max_steps: steps,
    learning_rate: rate,
    lr_scheduler_type: 'linear',
    warmup_steps: 0.1,
    save_strategy: 'no',
    seed,
    data_seed: seed,
    output_dir: out,
  })
  if (existsSync(join(out, 'adapter_model.safetensors'))) return out
  for await (const event of runTraining(config))
    if (event.type === 'step-done' && event.metrics.step % 50 === 0)
      console.error(`${arm} ${rate}, seed ${seed}, step ${event.metrics.step}: loss ${event.metrics.loss.toFixed(3)}`)
  return out
}

async function margins(lm: Awaited<ReturnType<typeof loadLm>>): Promise<{ margin: number; preferred: number }> {
  const asked = heldRows.slice(0, 300)
  const sums = async (of: (row: Row) => string): Promise<number[]> => {
    const rows = asked.map((row) => lm.encode({ prompt: row.prompt + of(row) }))
    return (await lm.score(rows)).map((list) => list.reduce<number>((sum, value) => sum + (value ?? 0), 0))
  }
  const [good, bad] = [await sums(({ chosen }) => chosen), await sums(({ rejected }) => rejected)]
  const gaps = good.map((value, i) => value - bad[i]!)
  const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length
  return { margin: mean(gaps), preferred: mean(gaps.map((gap) => (gap > 0 ? 1 : 0))) }
}

function keep(): void {
  const measured = (scorer: ToxicityScorer): Partial<ScorerMeasurement> => {
    const { auc, texts, languages } = scorer.measured ?? {}
    return { ...(auc !== undefined && { auc }), ...(texts !== undefined && { texts }), ...(languages && { languages }) }
  }
  const results = {
    machine: machineFor('cpu'),
    settings: {
      pretrain_steps: Number(values['pretrain-steps']),
      steps,
      pairs: rows.length,
      held_pairs: Math.min(300, heldRows.length),
      prompts,
      characters: Object.fromEntries(
        Object.entries(plain.train).map(([language, texts]) => [
          language,
          texts.reduce((sum, text) => sum + text.length, 0),
        ]),
      ),
    },
    // The lists that score have the words of the language and the English ones; what was measured is English and Danish in one list.
    scorers: Object.fromEntries(Object.entries(scorers).map(([name, scorer]) => [name, measured(scorer)])),
    cells,
  }
  writeFileSync(values.out, `${JSON.stringify(results, null, 1)}\n`)
}
