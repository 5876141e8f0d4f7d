// npx tsx experiments/psydt/real.ts --cpsycound FILE --smile FILE --counsel-chat FILE --out DIR [--quick] [--seeds N]: what of PsyDT's claims can be
// asked of real dialogues without a teacher: one source of dialogues against two, all turns against the last, an example case on the matter
// against any other one. Dialogues are split before anything; a seed that is done is not made again. Chinese dialogues are SMILE's and
// CPsyCounD's, English ones single questions with answers (CounselChat), where there is one turn and nobody's name.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Batch, BatchSource } from '../../src/data/batch.ts'
import { stack } from '../../src/data/batches.ts'
import { PythonRandom } from '../../src/eval/python-random.ts'
import type { Turn } from '../../src/methods/psydt/turns.ts'
import { readLines, writeLines } from '../../src/methods/psydt/turns.ts'
import { readModelConfig } from '../../src/model/config-read.ts'
import { Decoder } from '../../src/model/decoder.ts'
import { Bm25 } from '../../src/retrieve/bm25.ts'
import { noGrad } from '../../src/torch/index.ts'
import { machineFor, writeResults } from '../setting/results.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'
import { lossOn, samplesOf, type Talk, tokenizerFor, tune } from './setting.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    seeds: { type: 'string', default: '3' },
    out: { type: 'string' },
    cpsycound: { type: 'string' },
    smile: { type: 'string' },
    'counsel-chat': { type: 'string' },
  },
})
const given = (name: 'out' | 'cpsycound' | 'smile' | 'counsel-chat'): string => {
  const value = values[name]
  if (value === undefined) throw new Error(`--${name}: expected a path, got none`)
  return value
}

const SIZE = values.quick
  ? { layers: 2, hidden: 64, feedForward: 172, vocabulary: 1500, pretrainSteps: 4, steps: 4, batch: 2, characters: 300 }
  : {
      layers: 4,
      hidden: 160,
      feedForward: 430,
      vocabulary: 4000,
      pretrainSteps: 160,
      steps: 60,
      batch: 8,
      characters: 600,
    }
const RATE = { pretrain: 2e-3, twin: 1e-3 }

interface Dialogue {
  id: string
  turns: readonly Turn[]
}

/** Which of four parts a dialogue is of: 0 is held out, 1 pre-trained on, 2 and 3 tuned on. */
const partOf = (id: string): number => createHash('sha256').update(id).digest()[0]! % 4

const linesOf = <T>(file: string): T[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T)

/** From its beginning, whole rounds of at most so many characters. */
function shortened(turns: readonly Turn[]): Turn[] {
  const kept: Turn[] = []
  let count = 0
  for (let i = 0; i + 1 < turns.length; i += 2) {
    const round = turns.slice(i, i + 2)
    count += round.reduce((sum, { text }) => sum + text.length, 0)
    if (count > SIZE.characters || round[0]!.speaker !== 'client' || round[1]!.speaker !== 'counsellor') break
    kept.push(...round)
  }
  return kept
}

const dialogues = (list: readonly Dialogue[]): Dialogue[] =>
  list.map(({ id, turns }) => ({ id, turns: shortened(turns) })).filter(({ turns }) => turns.length >= 2)

function readSmile(file: string): Dialogue[] {
  const rows = linesOf<{ id: string; messages: { role: string; content: string }[] }>(file)
  return dialogues(
    rows.map(({ id, messages }) => ({
      id: `smile-${id}`,
      turns: messages.map(({ role, content }) => ({
        speaker: role === 'client' ? 'client' : 'counsellor',
        text: content,
      })),
    })),
  )
}

const readCpsycound = (file: string): Dialogue[] =>
  dialogues(
    linesOf<{ id: string; text: string }>(file).map(({ id, text }) => ({
      id: `cpsycound-${id}`,
      turns: readLines(text).turns,
    })),
  )

/** One answer a question, so that nothing of a question stands on both sides of a split. */
function readCounselChat(file: string): Dialogue[] {
  const byQuestion = new Map<string, Dialogue>()
  for (const row of linesOf<Record<string, string>>(file)) {
    const client = `${row.questionTitle}\n${row.questionText ?? ''}`.trim()
    const counsellor = (row.answerText ?? '').slice(0, SIZE.characters)
    if (client.length > SIZE.characters || counsellor.trim() === '') continue
    byQuestion.set(row.questionID!, {
      id: `chat-${row.questionID}`,
      turns: [
        { speaker: 'client', text: client },
        { speaker: 'counsellor', text: counsellor },
      ],
    })
  }
  return [...byQuestion.values()]
}

/** A talk behind an instruction that shows an example, or behind none. */
function talkOf({ turns }: Dialogue, language: 'zh' | 'en', example?: Dialogue): Talk {
  const system =
    example === undefined ? [] : [{ role: 'system' as const, content: writeLines(example.turns, language) }]
  const said = turns.map(({ speaker, text }) => ({
    role: speaker === 'client' ? ('user' as const) : ('assistant' as const),
    content: text,
  }))
  return { kind: 'conversation', messages: [...system, ...said] }
}

type Choose = (one: Dialogue, i: number) => Dialogue

/** The case whose client begins most like this one, and any case. */
function choosers(cases: readonly Dialogue[], seed: number): { matched: Choose; random: Choose } {
  const index = new Bm25(cases.map(({ id, turns }) => ({ id, text: turns[0]!.text })))
  const random = new PythonRandom(seed)
  const drawn = (not: string): Dialogue => {
    const others = cases.filter(({ id }) => id !== not)
    return others[random.below(others.length)]!
  }
  return {
    matched: ({ id, turns }) => {
      const hit = index.search(turns[0]!.text, { k: 2 }).find((found) => found.id !== id)
      return hit === undefined ? drawn(id) : cases.find((one) => one.id === hit.id)!
    },
    random: ({ id }) => drawn(id),
  }
}

interface Loss {
  arm: string
  loss: number
}
interface SeedResult {
  seed: number
  language: 'zh' | 'en'
  counts: Record<string, number>
  losses: Loss[]
  seconds: number
}

interface Arm {
  arm: string
  talks: readonly Talk[]
  turns: 'all' | 'last'
  held: readonly Talk[]
}

async function runSeed(
  language: 'zh' | 'en',
  seed: number,
  { target, other }: { target: readonly Dialogue[]; other: readonly Dialogue[] },
): Promise<SeedResult> {
  const began = performance.now()
  const part = (list: readonly Dialogue[], parts: readonly number[]): Dialogue[] =>
    list.filter(({ id }) => parts.includes(partOf(id)))
  const [held, tuned, before] = [part(target, [0]), part(target, [2, 3]), part([...target, ...other], [1])]
  const others = part(other, [2, 3])
  const { matched, random } = choosers(tuned, seed)
  const plain = (list: readonly Dialogue[]): Talk[] => list.map((one) => talkOf(one, language))
  const shown = (list: readonly Dialogue[], choose: Choose): Talk[] =>
    list.map((one, i) => talkOf(one, language, choose(one, i)))
  const tokenizer = await tokenizerFor(plain([...before, ...tuned, ...others]), SIZE.vocabulary)
  const batchesOf = (talks: readonly Talk[]): BatchSource => {
    const samples = samplesOf(talks, tokenizer, 'all')
    const list: Batch[] = []
    for (let at = 0; at < samples.length; at += 8)
      list.push(stack(Array.from({ length: Math.min(8, samples.length - at) }, (_, i) => samples.get(at + i))))
    return { batchesPerEpoch: list.length, at: (index) => list[index % list.length]! }
  }
  const fresh = (): Decoder =>
    Decoder.fresh(
      readModelConfig(
        {
          ...{ model_type: 'llama', vocab_size: tokenizer.vocabSize, hidden_size: SIZE.hidden },
          ...{ intermediate_size: SIZE.feedForward, num_hidden_layers: SIZE.layers, num_attention_heads: 4 },
          ...{ num_key_value_heads: 4, max_position_embeddings: 8192, tie_word_embeddings: true },
        },
        'config.json',
      ),
      { seed },
    )
  const how = { batch: SIZE.batch, seed }
  const base = fresh()
  await tune(base, tokenizer, plain(before), { ...how, steps: SIZE.pretrainSteps, rate: RATE.pretrain, turns: 'all' })
  const half = Math.floor(tuned.length / 2)
  const plainHeld = plain(held)
  const arms: Arm[] = [
    { arm: 'one source', talks: plain(tuned), turns: 'all', held: plainHeld },
    ...(others.length === 0
      ? []
      : [
          {
            arm: 'two sources',
            talks: plain([...tuned.slice(0, half), ...others.slice(0, half)]),
            turns: 'all' as const,
            held: plainHeld,
          },
        ]),
    ...(language === 'en'
      ? []
      : [{ arm: 'one source, last turn only', talks: plain(tuned), turns: 'last' as const, held: plainHeld }]),
    { arm: 'with a matched case', talks: shown(tuned, matched), turns: 'all', held: shown(held, matched) },
    { arm: 'with a random case', talks: shown(tuned, random), turns: 'all', held: shown(held, random) },
  ]
  const losses: Loss[] = [{ arm: 'untuned', loss: await lossOn(base, batchesOf(plainHeld)) }]
  const state = new Map(base.parameters())
  for (const { arm, talks, turns, held } of arms) {
    const model = fresh()
    noGrad(() => {
      for (const [path, parameter] of model.parameters()) parameter.copy_(state.get(path)!)
    })
    await tune(model, tokenizer, talks, { ...how, steps: SIZE.steps, rate: RATE.twin, turns })
    losses.push({ arm, loss: await lossOn(model, batchesOf(held)) })
    console.error(`${language}, seed ${seed}, ${arm}: ${losses.at(-1)!.loss.toFixed(4)}`)
  }
  const counts = { held: held.length, tuned: tuned.length, others: others.length, before: before.length }
  return { seed, language, counts, losses, seconds: (performance.now() - began) / 1000 }
}

const out = given('out')
mkdirSync(out, { recursive: true })
const data = {
  zh: { target: readCpsycound(given('cpsycound')), other: readSmile(given('smile')) },
  en: { target: readCounselChat(given('counsel-chat')), other: [] },
}
const results: SeedResult[] = []
for (let seed = 1; seed <= (values.quick ? 1 : Number(values.seeds)); seed++)
  for (const language of ['zh', 'en'] as const) {
    const file = join(out, `real-${language}-${seed}.json`)
    if (!existsSync(file)) writeFileSync(file, JSON.stringify(await runSeed(language, seed, data[language])))
    results.push(JSON.parse(readFileSync(file, 'utf8')) as SeedResult)
  }

const shownOf = (numbers: readonly number[]): string => {
  const { mean, halfWidth } = statistics(numbers)
  return `${mean.toFixed(4)}${Number.isNaN(halfWidth) ? '' : ` ± ${halfWidth.toFixed(4)}`}`
}
const tables = (['zh', 'en'] as const).map((language) => {
  const own = results.filter((result) => result.language === language)
  const of = (arm: string): number[] => own.map(({ losses }) => losses.find((one) => one.arm === arm)!.loss)
  const names = own[0]!.losses.map(({ arm }) => arm)
  const claims = [
    ['one source', 'two sources'],
    ['one source', 'one source, last turn only'],
    ['with a matched case', 'with a random case'],
    ['one source', 'untuned'],
  ].filter(([a, b]) => names.includes(a!) && names.includes(b!))
  return [
    markdownTable(
      `${language}: loss on the counsellor's turns of held-out dialogues, means of ${own.length} seeds`,
      ['arm', 'loss'],
      names.map((arm) => [arm, shownOf(of(arm))]),
    ),
    markdownTable(
      'Differences, paired by seed',
      ['what', 'loss'],
      claims.map(([a, b]) => [`${a} − ${b}`, shownOf(of(a!).map((loss, i) => loss - of(b!)[i]!))]),
    ),
  ].join('\n\n')
})
writeResults(out, { machine: machineFor('cpu'), size: SIZE, rate: RATE, seeds: results }, tables.join('\n\n'))
console.log(tables.join('\n\n'))
