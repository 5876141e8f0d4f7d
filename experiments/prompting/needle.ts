// Whether a sentence is found in a document of twenty contexts, at twenty depths: by mapReduce, and where the document is cut to what fits.
//   tsx experiments/prompting/needle.ts [--model DIR] [--out DIR]
// The model of the main arms is scripted: it answers right where the sentence is before it and NONE elsewhere, so what is measured is whether the
// parts and notes bring it there, not whether a model can read. --model adds the same with a real model. Writes results.json and tables.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fakeLm } from '../../src/lm/fake-lm.ts'
import type { Lm } from '../../src/lm/lm.ts'
import { splitText } from '../../src/prompting/data/index.ts'
import { localModel, type Model, mapReduce, prompt, quote, trace } from '../../src/prompting/index.ts'
import { loadLm } from '../../src/run/load-lm.ts'
import { markdownTable } from '../setting/statistics.ts'
import { withTemplate } from './with-template.ts'

const CONTEXT = 512
const DEPTHS = 20
const QUESTION = 'What is the secret number?'
const FILLER = [
  'The cat sat on the mat.',
  'It rained all day.',
  'Anna baked some bread.',
  'The dog ran to the park.',
  'Tim had a red ball.',
]
const needleOf = (depth: number): { sentence: string; number: string } => {
  const number = String(1000 + depth * 379)
  return { sentence: `The secret number is ${number}.`, number }
}

/** A text of twenty contexts with the sentence at `depth` twentieths of it. */
export function haystack(lm: Lm, depth: number): string {
  const sentences: string[] = []
  let tokens = 0
  for (let i = 0; tokens < DEPTHS * CONTEXT; i++) {
    sentences.push(FILLER[(i * 7 + (i >> 2)) % FILLER.length]!)
    tokens += lm.encode({ prompt: ` ${sentences.at(-1)!}`, addSpecialTokens: false }).length
  }
  sentences.splice(Math.floor(((depth + 0.5) / DEPTHS) * sentences.length), 0, needleOf(depth).sentence)
  return sentences.join(' ')
}

/** Answers right where the sentence is before it. */
export function reader(): Lm {
  return fakeLm({
    contextLength: CONTEXT,
    reply: (request) => {
      const { messages } = request as unknown as { messages: { content: unknown }[] }
      return /secret number is (\d+)/.exec(String(messages.at(-1)!.content))?.[0] ?? 'NONE'
    },
  })
}

const ask = { maxTokens: 40, temperature: 0 }

export async function byMapReduce(lm: Lm, model: Model, text: string): Promise<{ answer: string; calls: number }> {
  const measure = (part: string): number => lm.encode({ prompt: part, addSpecialTokens: false }).length
  const parts = splitText(text, { size: 300, overlap: 30, measure }).map((part) => part.text)
  const { value, calls } = await trace(() =>
    mapReduce(parts, {
      model,
      map: (part) => prompt`${quote(part)}\n\n${QUESTION} Quote the sentence or say NONE.`,
      keep: (note) => !/^\W*NONE/.test(note),
      reduce: (notes) => prompt`${quote(notes.join('\n').slice(0, 300))}\n\n${QUESTION}`,
      ask,
    }),
  )
  return { answer: value, calls: calls.length }
}

/** The document cut at what fits: its beginning, or its end. */
export async function byCutting(lm: Lm, model: Model, text: string, side: 'beginning' | 'end'): Promise<string> {
  const measure = (part: string): number => lm.encode({ prompt: part, addSpecialTokens: false }).length
  const parts = splitText(text, { size: 30, measure }).map((part) => part.text)
  if (side === 'end') parts.reverse()
  let kept = ''
  for (const part of parts) {
    const more = side === 'end' ? part + kept : kept + part
    if (measure(more) > 350) break
    kept = more
  }
  return model.ask(prompt`${quote(kept)}\n\n${QUESTION} Quote the sentence or say NONE.`, ask)
}

export interface Found {
  arm: string
  found: number
  of: number
}

export async function measureNeedles(lm: Lm, depths: number = DEPTHS): Promise<Found[]> {
  const model = localModel(lm)
  const found = { mapReduce: 0, beginning: 0, end: 0 }
  for (let depth = 0; depth < depths; depth++) {
    const { number } = needleOf(depth)
    const text = haystack(lm, depth)
    if ((await byMapReduce(lm, model, text)).answer.includes(number)) found.mapReduce++
    for (const side of ['beginning', 'end'] as const)
      if ((await byCutting(lm, model, text, side)).includes(number)) found[side]++
  }
  return Object.entries(found).map(([arm, hits]) => ({ arm, found: hits, of: depths }))
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const { values } = parseArgs({
    options: { model: { type: 'string' }, out: { type: 'string', default: 'out/needle' } },
  })
  const results: Record<string, Found[]> = { 'scripted reader': await measureNeedles(reader()) }
  if (values.model !== undefined) {
    const { path, remove } = withTemplate(values.model)
    try {
      results['real model'] = await measureNeedles(await loadLm(path), 5)
    } finally {
      remove()
    }
  }
  const table = markdownTable(
    `A sentence in a document of ${DEPTHS} contexts of ${CONTEXT} tokens, found`,
    ['model', 'way', 'found', 'of'],
    Object.entries(results).flatMap(([name, rows]) =>
      rows.map(({ arm, found, of }) => [name, arm === 'mapReduce' ? arm : `cut to its ${arm}`, found, of]),
    ),
  )
  mkdirSync(values.out, { recursive: true })
  writeFileSync(join(values.out, 'results.json'), `${JSON.stringify(results, null, 1)}\n`)
  writeFileSync(join(values.out, 'tables.md'), `${table}\n`)
  console.log(table)
}
