// What the arms have in common: dialogues that the recipe makes of the template world, a small Llama that has learnt to talk like a crowd,
// tuning as `stage: sft` does it, and sessions of the counsellor with clients that nobody was trained on.
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Batch, BatchSource } from '../../src/data/batch.ts'
import { batches, stack } from '../../src/data/batches.ts'
import type { Message } from '../../src/data/rows/conversation.ts'
import { SampleStore } from '../../src/data/tuning/sample-store.ts'
import { SupervisedEncoder } from '../../src/data/tuning/supervised.ts'
import { PythonRandom } from '../../src/eval/python-random.ts'
import { type Case, CaseStore } from '../../src/methods/psydt/cases.ts'
import { therapies } from '../../src/methods/psydt/knowledge.ts'
import type { Match } from '../../src/methods/psydt/match-case.ts'
import { type PsydtRow, psydt, systemPrompt } from '../../src/methods/psydt/psydt.ts'
import { PSYDT_WORDINGS } from '../../src/methods/psydt/wordings.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { readMadeRows } from '../../src/synth/row-files.ts'
import { synthesize } from '../../src/synth/synthesize.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import { CHATML_TEMPLATE } from '../../src/text/chat-template.ts'
import { Tokenizer } from '../../src/text/tokenizer.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'
import { resultOf } from '../../src/work.ts'
import { ruleTeacher } from './rule-teacher.ts'
import { COUNSELLORS, type Counsellor, TOPICS, worldCase, worldCases, worldSeeds } from './world.ts'

export interface Size {
  layers: number
  hidden: number
  feedForward: number
  vocabulary: number
  /** Dialogues of the crowd, and steps on them. */
  crowd: number
  crowdSteps: number
  /** Dialogues of an arm, and steps of all arms. */
  dialogues: number
  steps: number
  batch: number
  /** Sessions a topic that are held out. */
  held: number
}

/** A dialogue as it is trained on. */
export interface Talk {
  kind: 'conversation'
  messages: Message[]
}

/** Of a counsellor: the real cases, and what the recipe made of them. */
export async function dialoguesOf(
  counsellor: Counsellor,
  count: number,
  match: Match,
  seed: number,
): Promise<{ rows: PsydtRow[]; refused: number; rejected: number }> {
  const out = await mkdtemp(join(tmpdir(), 'anneal-psydt-'))
  try {
    const cases = new CaseStore(worldCases(counsellor, seed))
    const recipe = psydt({ cases, language: 'en', turns: [5, 8], match })
    // Some seeds give nothing; those behind them take their places.
    const seeds = worldSeeds(Math.ceil(1.5 * count), seed)
    const { refused, rejected } = await resultOf(synthesize({ recipe, seeds, model: ruleTeacher(), out, seed }))
    return { rows: [...(readMadeRows(out) as Iterable<PsydtRow>)].slice(0, count), refused, rejected }
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}

const OPENINGS = ['', 'I see', 'Right', 'Thank you', 'Mm', 'That is clear', 'Good to know', 'Yes']

/** Sessions of counsellors of all manners but those of the three. */
export function crowd(count: number, seed: number): Talk[] {
  const random = new PythonRandom(seed)
  const topics = Object.keys(TOPICS)
  const types = therapies('en').therapies.map(({ type }) => type)
  return Array.from({ length: count }, (_, i) => {
    const manner = {
      opening: OPENINGS[random.below(OPENINGS.length)]!,
      questions: random.random(),
      words: 8 + random.below(24),
    }
    const therapy = types[random.below(types.length)]!
    const somebody = { name: `c${i}`, manner, therapy, creed: 'much can be said' }
    return talkOf(worldCase(somebody, topics[i % topics.length]!, 100_000 + seed * count + i))
  })
}

/** What every model is told, whosever words it learns: an instruction that names a therapy would tell whom it is to be. */
const SYSTEM = systemPrompt(undefined, PSYDT_WORDINGS.en)

/** The client's words as the user's, the counsellor's as the assistant's. */
export function talkOf({ turns }: Pick<Case, 'turns'>): Talk {
  const said = turns.map(
    ({ speaker, text }): Message => ({ role: speaker === 'client' ? 'user' : 'assistant', content: text }),
  )
  return { kind: 'conversation', messages: [{ role: 'system', content: SYSTEM }, ...said] }
}

export const talkOfRow = ({ messages }: PsydtRow): Talk => ({
  kind: 'conversation',
  messages: [{ role: 'system', content: SYSTEM }, ...(messages.slice(1) as Message[])],
})

/** The rounds of a session that are left of eight: the second has the creed, word for word, which no synthesis may copy. */
export const KEPT_ROUNDS: readonly number[] = [0, 2, 3, 4, 5, 6, 7]

/** Real sessions with clients of their own. */
export const heldSessions = (counsellor: Counsellor, each: number, seed: number): Case[] =>
  Object.keys(TOPICS).flatMap((topic) =>
    Array.from({ length: each }, (_, i) => {
      const one = worldCase(counsellor, topic, 50_000 + 100 * seed + i)
      return { ...one, turns: KEPT_ROUNDS.flatMap((round) => one.turns.slice(2 * round, 2 * round + 2)) }
    }),
  )

export async function tokenizerFor(talks: readonly Talk[], vocabSize: number): Promise<Tokenizer> {
  const texts = talks.flatMap(({ messages }) => messages.map(({ content }) => String(content)))
  const { tokenizer } = await trainBpe(texts, { vocabSize, specialTokens: ['<|im_start|>', '<|im_end|>'] })
  return Tokenizer.fromJson(tokenizer.toJson(), { roles: { eos: '<|im_end|>' }, chatTemplate: CHATML_TEMPLATE })
}

export function samplesOf(talks: readonly Talk[], tokenizer: Tokenizer, turns: 'all' | 'last'): SampleStore {
  const encoder = new SupervisedEncoder({ tokenizer, turns })
  const samples = new SampleStore()
  for (const [i, talk] of talks.entries()) samples.add(encoder.encode(talk, `talk ${i}`))
  return samples
}

/** Every turn of the counsellor in sessions that are held out. */
export function heldBatches(cases: readonly Case[], tokenizer: Tokenizer): BatchSource {
  const samples = samplesOf(cases.map(talkOf), tokenizer, 'all')
  const list: Batch[] = []
  for (let at = 0; at < samples.length; at += 8)
    list.push(stack(Array.from({ length: Math.min(8, samples.length - at) }, (_, i) => samples.get(at + i))))
  return { batchesPerEpoch: list.length, at: (index) => list[index % list.length]! }
}

export const lossOn = async (model: Decoder, held: BatchSource): Promise<number> =>
  (await evaluate(model, held, languageModeling())).eval_loss!

/** Supervised tuning of all weights; `watch` hears of the steps it asks for. */
export async function tune(
  model: Decoder,
  tokenizer: Tokenizer,
  talks: readonly Talk[],
  {
    steps,
    rate,
    batch,
    seed,
    turns,
  }: { steps: number; rate: number; batch: number; seed: number; turns: 'all' | 'last' },
  watch: { every: number; hear: (step: number) => Promise<void> } = { every: steps, hear: async () => {} },
): Promise<{ tokens: number }> {
  const samples = samplesOf(talks, tokenizer, turns)
  model.trainable()
  const schedule = makeSchedule('cosine', { steps, warmupSteps: 0.05 })
  const run = train(model, batches(samples, { batchSize: batch, seed }), languageModeling(), {
    steps,
    learningRate: rate,
    schedule,
    seed,
  })
  let tokens = 0
  for await (const event of run) {
    if (event.type !== 'step-done') continue
    tokens = event.metrics.num_tokens
    if (event.metrics.step % watch.every === 0) await watch.hear(event.metrics.step)
  }
  model.trainable(() => false)
  return { tokens }
}

export const TARGET: Counsellor = COUNSELLORS[0]!
