// How many answers are JSON that fits its schema: with token masks, and asked for in words alone.
//   tsx experiments/prompting/valid-json.ts --model DIR [--questions 10] [--out DIR]
// --model: a model in Hugging Face's layout, such as that of `anneal demo`; where it has no chat template, one is used that writes the messages
// one below another. Twenty schemas, `--questions` prompts each; every other prompt is drawn at temperature 1, the rest are greedy; every fifth
// answer may have 64 tokens only, the others 120. Both arms have the same prompts, tokens and seeds, and ask once. Writes results.json and tables.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { InputError } from '../../src/errors.ts'
import { shareOf } from '../../src/methods/sande/interval.ts'
import { modelOf } from '../../src/prompting/base/index.ts'
import { AnswerError, localModel, type Model } from '../../src/prompting/index.ts'
import { loadLm } from '../../src/run/load-lm.ts'
import { machineFor } from '../setting/results.ts'
import { markdownTable } from '../setting/statistics.ts'
import { withTemplate } from './with-template.ts'

interface Tree {
  value: number
  children: Tree[]
}
const Tree: z.ZodType<Tree> = z.object({ value: z.int(), children: z.array(z.lazy(() => Tree)).max(3) })
const Colour = z.enum(['red', 'green', 'blue'])

/** From plain to nasty. */
export const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  person: z.object({ name: z.string(), age: z.int().min(0).max(150) }),
  enum: Colour,
  boolean: z.boolean(),
  'bounded integer': z.int().min(-5).max(5),
  'bounded number': z.number().min(0.5).max(2.5),
  'open number': z.object({ x: z.number(), y: z.number().positive() }),
  'short string': z.string().min(2).max(12),
  pattern: z.object({ number: z.string().regex(/^[A-Z]{2}\d{6}$/) }),
  date: z.object({ day: z.iso.date(), at: z.iso.datetime() }),
  'e-mail and UUID': z.object({ mail: z.email(), id: z.uuid() }),
  list: z.array(z.int()).min(2).max(6),
  tuple: z.tuple([z.string(), z.number(), Colour]),
  nested: z.object({ a: z.object({ b: z.object({ c: z.object({ d: z.array(z.array(Colour).max(2)).max(2) }) }) }) }),
  optional: z.object({ a: z.string().optional(), b: z.int().nullable(), c: z.boolean().optional() }),
  record: z.record(z.string().regex(/^[a-z]{1,8}$/), z.int()),
  union: z.union([z.string(), z.number(), z.null(), z.array(z.boolean())]),
  'told apart': z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('circle'), radius: z.number() }),
    z.object({ kind: z.literal('square'), side: z.number() }),
  ]),
  'may give up': z.union([z.object({ answer: z.int() }), z.object({ cannot: z.string().max(60) })]),
  recursion: Tree,
  invoice: z.object({
    reasoning: z.string().max(80),
    total: z.number(),
    currency: z.enum(['DKK', 'EUR', 'USD']),
    lines: z.array(z.object({ item: z.string(), price: z.number() })).max(4),
  }),
}

const SUBJECTS = [
  'a cat',
  'the sea',
  'a king',
  'bread',
  'a small house',
  'the moon',
  'two friends',
  'a lost key',
  'rain',
  'a long walk',
]

export interface Counts {
  schema: string
  asked: number
  masks: number
  /** In words, of those prompts that fit the model's context with the schema spelled out. */
  free: number
  fits: number
}

/** Asks both ways. `onAnswer` hears of every answer. */
export async function countValid(
  model: Model,
  questions: number,
  { tight = 64, onAnswer = () => undefined }: { tight?: number; onAnswer?: (schema: string) => void } = {},
): Promise<Counts[]> {
  const { score: _, ...backend } = model
  const free = modelOf({ ...backend, holds: 'none' })
  const counts: Counts[] = []
  let n = 0
  for (const [schema, as] of Object.entries(SCHEMAS)) {
    const found = { schema, asked: 0, masks: 0, free: 0, fits: 0 }
    for (let i = 0; i < questions; i++, n++) {
      const question = `Tell me about ${SUBJECTS[i % SUBJECTS.length]}.`
      const asked = { as, again: 0, maxTokens: n % 5 === 4 ? tight : 120, temperature: n % 2, seed: n }
      found.asked++
      if (await isValid(model, question, asked)) found.masks++
      const isFree = await isValid(free, question, asked)
      if (isFree !== undefined) found.fits++
      if (isFree) found.free++
      onAnswer(schema)
    }
    counts.push(found)
  }
  return counts
}

async function isValid(
  model: Model,
  question: string,
  asked: Parameters<Model['ask']>[1],
): Promise<boolean | undefined> {
  try {
    await model.ask(question, asked)
    return true
  } catch (error) {
    if (error instanceof AnswerError) return false
    if (error instanceof InputError) return undefined // the prompt is longer than the context
    throw error
  }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      questions: { type: 'string', default: '10' },
      out: { type: 'string', default: 'out/valid-json' },
    },
  })
  const { path, remove } = withTemplate(values.model!)
  try {
    const began = performance.now()
    const lm = await loadLm(path)
    const counts = await countValid(localModel(lm), Number(values.questions), {
      onAnswer: (schema) => void process.stderr.write(`${schema} `),
    })
    const sum = (of: (one: Counts) => number): number => counts.reduce((total, one) => total + of(one), 0)
    const all = sum(({ asked }) => asked)
    const totals = {
      asked: all,
      masks: sum(({ masks }) => masks),
      free: sum(({ free }) => free),
      fits: sum(({ fits }) => fits),
    }
    const told = (hits: number, all: number): string => {
      const share = shareOf(hits, all)
      const [low, high] = [share.low, share.high].map((x) => (100 * x).toFixed(1))
      return `${hits} (${((100 * hits) / all).toFixed(1)} %, 95 % ${low}–${high})`
    }
    const table = markdownTable(
      'Answers that are JSON of their schema',
      ['schema', 'asked', 'with masks', 'asked in words', 'of prompts that fit'],
      [
        ...counts.map(({ schema, asked, masks, free, fits }) => [schema, asked, masks, free, fits]),
        ['all', all, told(totals.masks, all), told(totals.free, totals.fits), totals.fits],
      ],
    )
    mkdirSync(values.out, { recursive: true })
    const results = {
      machine: machineFor('cpu'),
      seconds: Math.round((performance.now() - began) / 1000),
      totals,
      counts,
    }
    writeFileSync(join(values.out, 'results.json'), `${JSON.stringify(results, null, 1)}\n`)
    writeFileSync(join(values.out, 'tables.md'), `${table}\n`)
    console.log(`\n${table}`)
  } finally {
    remove()
  }
}
