// npx tsx experiments/ei-arag/real.ts --data DIR [--steps N] [--keep FILE] --out FILE.json: real questions. How well BM25 finds PopQA's and
// RetrievalQA's passages; and a small model, taught Wikipedia's passages and half of PopQA's questions, asked the other half without a
// passage, with the subject's own, and with the one that BM25 puts first. All gates are measured on the last.
// DIR has popqa_with_passages.json, wiki_passages.json and retrievalqa_gpt4.jsonl.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { InputError } from '../../src/errors.ts'
import { GATE_LABELS, type GateLabel, isAnswered } from '../../src/eval/gates/gate-record.ts'
import { Bm25 } from '../../src/retrieve/bm25.ts'
import { machineFor } from '../setting/results.ts'
import { type SmallShape, tokenizerOf } from '../setting/small-llama.ts'
import { type Asked, type GateRow, gatesOf, type Went, wentOf } from './measure.ts'
import { writeRealTables } from './real-tables.ts'
import {
  answersOf,
  CUT,
  type Curriculum,
  corpusOf,
  halves,
  lessonsOf,
  type PopRow,
  questionOf,
  type RetrievalRow,
  readPopQa,
  readRetrievalQa,
  readWiki,
  shown,
} from './real-texts.ts'
import { type Lessons, questionStates, recordMany, teach } from './teach.ts'

/** How often BM25's first k have what is needed. */
export interface Found {
  what: string
  questions: number
  passages: number
  /** The passage, or one of the passages, that belongs to the question. */
  own1: number
  own5: number
  /** A passage with an answer. */
  answer1: number
  answer5: number
  /** An answer stands in a passage of the question's own. */
  told: number
}

export interface RealResults {
  machine: string
  found: Found[]
  model?: RealModel
}

/** The model and how questions went. */
export interface RealModel {
  shape: SmallShape
  lessons: Lessons & Curriculum
  parameters: number
  vocabulary: number
  tokens: number
  epochs: number
  /** With the subject's own passage, and with BM25's first. */
  own: Went
  first: Went
  byRelation: { relation: string; own: Went; first: Went; most: number }[]
  /** Why there are no gates. */
  refused?: string
  /** One sweep for each seed of the split. */
  splits: {
    seed: number
    sizes: { train: number; validation: number; test: number }
    gates: Record<GateLabel, GateRow[]>
  }[]
}

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    steps: { type: 'string', default: '1400' },
    splits: { type: 'string', default: '10' },
    keep: { type: 'string' },
    out: { type: 'string' },
  },
})
if (values.data === undefined || values.out === undefined)
  throw new Error('--data, --out: expected a folder of questions and a file for the results, got none')
const SHAPE: SmallShape = {
  layers: 4,
  hidden: 128,
  feedForward: 344,
  vocabulary: 4096,
  initializerRange: 0.06,
  pretrainSteps: Number(values.steps),
}
const LESSONS: Lessons = { length: 160, rows: 6 }
const TAUGHT: Curriculum = { reading: 6000, repeats: 4, seed: 1 }

const popqa = readPopQa(values.data)
const wiki = readWiki(values.data)
const corpus = corpusOf(popqa, wiki)
const index = new Bm25(corpus)
const results: RealResults = {
  machine: machineFor('cpu'),
  found: [foundInPopQa(popqa), foundInRetrievalQa(readRetrievalQa(values.data))],
}
const save = (): void => {
  writeFileSync(values.out!, `${JSON.stringify(results, null, 1)}\n`)
  writeFileSync(values.out!.replace(/\.json$/, '.md'), writeRealTables(results))
}
save()
console.error(JSON.stringify(results.found))

interface Kept {
  asked: Asked[]
  own: Asked['record'][]
  about: Pick<RealModel, 'parameters' | 'vocabulary' | 'tokens' | 'epochs'>
}
const { asked: rows } = halves(popqa, TAUGHT.seed)
const questions = rows.map(questionOf)
const withFirst = questions.map((question) => ({
  ...question,
  passages: index.search(question.question, { k: 1 }).map(({ text }) => text.slice(0, CUT)),
}))
const lessons = lessonsOf(popqa, wiki, TAUGHT)
const tokenizer = await tokenizerOf(
  lessons.map(({ prompt = '', text }) => prompt + text),
  SHAPE,
)
const isKept = values.keep !== undefined && existsSync(values.keep)
const { asked, own, about } = isKept ? (deserialize(readFileSync(values.keep!)) as Kept) : await run()
if (values.keep !== undefined && !isKept) writeFileSync(values.keep, serialize({ asked, own, about } satisfies Kept))
const records = asked.map(({ record }) => record)
const wentWhere = (isOne: (i: number) => boolean): { own: Went; first: Went } => {
  const places = [...rows.keys()].filter(isOne)
  const pick = <T>(list: readonly T[]): T[] => places.map((i) => list[i]!)
  return { own: wentOf(pick(own), pick(questions)), first: wentOf(pick(records), pick(withFirst)) }
}
const byRelation = [...new Set(rows.map(({ prop }) => prop))].map((relation) => ({
  relation,
  ...wentWhere((i) => rows[i]!.prop === relation),
  most: mostCommon(relation),
}))
results.model = {
  shape: SHAPE,
  lessons: { ...LESSONS, ...TAUGHT },
  ...about,
  ...wentWhere(() => true),
  byRelation,
  splits: [],
}
save()
console.error(JSON.stringify({ ...results.model }))
const words = (question: string): string[] =>
  Array.from(tokenizer.encode(question, { addSpecialTokens: false }), String)
try {
  for (let seed = 0; seed < Number(values.splits); seed++) {
    const gates = {} as Record<GateLabel, GateRow[]>
    let sizes: RealModel['splits'][number]['sizes'] | undefined
    for (const label of GATE_LABELS) {
      const swept = await gatesOf(asked, label, seed, words)
      gates[label] = swept.gates
      sizes = swept.sizes
    }
    results.model.splits.push({ seed, sizes: sizes!, gates })
    save()
  }
} catch (error) {
  // Where all answers are right or wrong there is nothing to fit, and the results say so.
  if (!(error instanceof InputError)) throw error
  results.model.refused = error.message
  save()
}

async function run(): Promise<Kept> {
  const asking = questions.map(({ question }) => question)
  const start = await teach(lessons, tokenizer, { ...SHAPE, pretrainSteps: 0 }, LESSONS, TAUGHT.seed)
  const untrained = questionStates(start.model, tokenizer, asking).map(({ means }) => means[1]!)
  start.model.free()
  const { model, tokens, epochs } = await teach(lessons, tokenizer, SHAPE, LESSONS, TAUGHT.seed)
  const own = await recordMany(model, tokenizer, questions)
  const records = await recordMany(model, tokenizer, withFirst)
  const states = questionStates(model, tokenizer, asking)
  return {
    asked: records.map((record, i) => ({ record, states: states[i]!, untrained: untrained[i]! })),
    own,
    about: { parameters: model.weightCount, vocabulary: tokenizer.vocabSize, tokens, epochs },
  }
}

/** How often the most frequent answer of the taught half is right in the asked one. */
function mostCommon(relation: string): number {
  const counts = new Map<string, number>()
  for (const { prop, obj } of halves(popqa, TAUGHT.seed).taught)
    if (prop === relation) counts.set(obj, (counts.get(obj) ?? 0) + 1)
  const [most = ''] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? []
  const own = questions.filter((question) => question.relation === relation)
  return own.filter(({ gold }) => isAnswered(most, gold)).length / own.length
}

function foundInPopQa(all: readonly PopRow[]): Found {
  const found = all.map((row) => {
    const texts = index.search(row.question, { k: 5 }).map(({ text }) => text)
    const own = shown(row.paragraphs[0]!)
    const [gold, told] = [answersOf(row), isAnswered(own, answersOf(row))]
    return { texts, own: [own], gold, told }
  })
  return shareFound('PopQA, in all passages', corpus.length, found)
}

function foundInRetrievalQa(all: readonly RetrievalRow[]): Found {
  const textOf = (context: RetrievalRow['context'][number]): string =>
    typeof context === 'string' ? context : shown({ title: context.title ?? '', text: context.text ?? '' })
  const texts = [...new Set(all.flatMap(({ context }) => context.map(textOf)))]
  const pool = new Bm25(texts.map((text) => ({ id: text, text })))
  const found = all.map(({ question, context, ground_truth }) => {
    const own = context.map(textOf)
    return {
      texts: pool.search(question, { k: 5 }).map(({ text }) => text),
      own,
      gold: ground_truth,
      told: own.some((text) => isAnswered(text, ground_truth)),
    }
  })
  return shareFound('RetrievalQA, in all contexts', texts.length, found)
}

function shareFound(
  what: string,
  passages: number,
  found: readonly { texts: string[]; own: string[]; gold: string[]; told: boolean }[],
): Found {
  const share = (of: (one: (typeof found)[number]) => boolean): number => found.filter(of).length / found.length
  const hasOwn = (k: number) => share(({ texts, own }) => texts.slice(0, k).some((text) => own.includes(text)))
  const hasAnswer = (k: number) => share(({ texts, gold }) => texts.slice(0, k).some((text) => isAnswered(text, gold)))
  return {
    what,
    questions: found.length,
    passages,
    own1: hasOwn(1),
    own5: hasOwn(5),
    answer1: hasAnswer(1),
    answer5: hasAnswer(5),
    told: share(({ told }) => told),
  }
}
