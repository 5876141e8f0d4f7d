// What the experiment with real text reads: plain text in four languages, tweets that people called toxic or not, pairs of a toxic sentence
// and a neutral one. Everything is split by its hash; nothing that tests a scorer or a model is learnt from.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sideOf } from '../../src/data/split.ts'

export interface Labelled {
  text: string
  label: 'toxic' | 'neutral'
  language: string
}

const lines = (file: string): string[] => readFileSync(file, 'utf8').split(/\r?\n/).filter(Boolean)
const jsonl = <T>(file: string): T[] => lines(file).map((line) => JSON.parse(line) as T)
export const heldOut = (text: string): boolean => sideOf(text, { fraction: 0.2, salt: 'debias-detox' }) === 'validation'

/** Fields of a CSV text with quotes (RFC 4180). */
function csv(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\n"]*))(,|\r?\n|$)/g)) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!)
    if (end !== ',') rows.push([])
  }
  return rows.filter((row) => row.length > 1)
}

/** A tweet without marks of sharing, addresses and names of accounts. */
const cleaned = (tweet: string): string =>
  tweet
    .replace(/&amp;/g, '&')
    .replace(/&#?\w+;/g, ' ')
    .replace(/https?:\S+|@\w+:?|\bRT\b/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .trim()

/** Davidson's tweets: hate and offensive language are toxic; `kind` keeps the three. */
export function tweets(data: string): (Labelled & { kind: 'hate' | 'offensive' | 'neither' })[] {
  const [, ...rows] = csv(readFileSync(join(data, 'toxicity/davidson_labeled_data.csv'), 'utf8'))
  return rows.flatMap((row) => {
    const kind = (['hate', 'offensive', 'neither'] as const)[Number(row[5])]
    const text = cleaned(row[6] ?? '')
    return kind === undefined || text.length < 8
      ? []
      : [{ text, kind, label: kind === 'neither' ? ('neutral' as const) : ('toxic' as const), language: 'en' }]
  })
}

/** DKhate; its own test set is held out. */
export function danishPosts(data: string, side: 'train' | 'test'): Labelled[] {
  return jsonl<{ text: string; label: string }>(join(data, `scandinavian/dkhate/${side}.jsonl`)).map(
    ({ text, label }) => ({ text: cleaned(text), label: label === 'OFF' ? 'toxic' : 'neutral', language: 'da' }),
  )
}

export interface Pair {
  toxic: string
  neutral: string
}

/** ParaDetox with the first paraphrase of each sentence. All that is about one toxic sentence is on one side. */
export function pairs(data: string): Pair[] {
  const seen = new Set<string>()
  return lines(join(data, 'paradetox/paradetox.tsv'))
    .slice(1)
    .map((line) => line.split('\t'))
    .flatMap(([toxic, neutral]) => {
      if (!toxic || !neutral || toxic === neutral || seen.has(toxic)) return []
      seen.add(toxic)
      return [{ toxic, neutral }]
    })
}

/** Sentences of DSL-TL and DSL-ML: their second column, or the first where there is no number. */
const dsl = (file: string): string[] =>
  lines(file).map((line) =>
    line
      .split('\t')
      .toSorted((a, b) => b.length - a.length)[0]!
      .replace(/^"|"$/g, '')
      .replaceAll('""', '"'),
  )

const xquad = (file: string): string[] =>
  (JSON.parse(readFileSync(file, 'utf8')) as { data: { paragraphs: { context: string }[] }[] }).data.flatMap(
    ({ paragraphs }) => paragraphs.map(({ context }) => context),
  )

/** Plain text to pre-train on, by language, and what is read only to measure perplexity. Toxic posts are in English and Danish alone. */
export function plainTexts(data: string): { train: Record<string, string[]>; held: Record<string, string[]> } {
  const at = (name: string): string => join(data, name)
  const news = ['mixed_2014', 'newscrawl_2011'].flatMap((name) =>
    lines(at(`danish-sentences/dan_${name}_10K-sentences.csv`)).map((line) =>
      line.replace(/^"?\d+"?[\t,]/, '').replace(/^"|"$/g, ''),
    ),
  )
  const train = {
    en: [
      ...lines(at('wikitext2/wikitext-2_valid.txt')).filter((line) => line.length > 40),
      ...lines(at('wiki-c4/wiki_demo.txt')),
      ...jsonl<{ text: string }>(at('wiki-c4/c4_demo.jsonl')).map(({ text }) => text),
      ...dsl(at('dsl-tl/EN_train.tsv')),
      ...tweets(data).flatMap(({ text }) => (heldOut(text) ? [] : [text])),
    ],
    es: [...dsl(at('dsl-tl/ES_train.tsv')), ...dsl(at('dsl-ml/ES_train.tsv')), ...xquad(at('xquad/xquad.es.json'))],
    pt: dsl(at('dsl-tl/PT_train.tsv')),
    da: [...news.filter((text) => !heldOut(text)), ...danishPosts(data, 'train').map(({ text }) => text)],
  }
  const held = {
    en: dsl(at('dsl-tl/EN_dev.tsv')),
    es: dsl(at('dsl-tl/ES_dev.tsv')),
    pt: dsl(at('dsl-tl/PT_dev.tsv')),
    da: news.filter(heldOut).slice(0, 800),
  }
  const unread = (list: string[], own: string[]): string[] => {
    const read = new Set(own)
    return list.filter((text) => !read.has(text)).slice(0, 400)
  }
  return {
    train: Object.fromEntries(Object.entries(train).map(([language, texts]) => [language, [...new Set(texts)]])),
    held: Object.fromEntries(
      Object.entries(held).map(([language, texts]) => [language, unread(texts, train[language as 'en'])]),
    ),
  }
}

export const LANGUAGES = ['en', 'es', 'pt', 'fr', 'de', 'sv', 'nl', 'it'] as const

/** Toxic beginnings of sentences, 200 in each of eight languages. */
export function prompts(data: string, language: string): string[] {
  return jsonl<{ Prompt: string }>(join(data, `toxicity/prompts/${language}.jsonl`)).map(({ Prompt }) =>
    Prompt.replace(/&quot;/g, '"').trim(),
  )
}
