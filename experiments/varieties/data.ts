// The data of the experiment, as rows of a text and its labels: DSL-TL, DSL-ML 2024 and tweets from Cuba or not.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRows } from '../../src/data/read/sources.ts'

export interface Row {
  text: string
  labels: string[]
}

const linesOf = (file: string): string[][] =>
  readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
const unquoted = (text: string): string => text.replace(/^"|"$/g, '').replaceAll('""', '"')

/** `id<TAB>sentence<TAB>label`; the label without a country is good in both varieties. */
export function readDslTl(directory: string, language: string, side: 'train' | 'dev'): Row[] {
  return linesOf(join(directory, `${language}_${side}.tsv`)).map(([, text, label]) => ({
    text: unquoted(text!),
    labels: [label!.trim()],
  }))
}

/** `label,label<TAB>sentence` */
export function readDslMl(directory: string, language: string, side: 'train' | 'dev'): Row[] {
  return linesOf(join(directory, `${language}_${side}.tsv`)).map(([labels, text]) => ({
    text: unquoted(text!),
    labels: labels!.split(','),
  }))
}

/** `tweet_content,label`, 1 for what was written in Cuba's variety. */
export async function readTweets(file: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const { row } of readRows(file)) {
    const { tweet_content, label } = row as { tweet_content: string; label: string | number }
    rows.push({ text: tweet_content, labels: [String(label).trim() === '1' ? 'cuban' : 'other'] })
  }
  return rows
}

/** Paragraphs and questions of XQuAD's file of one language. */
export function readXquad(file: string): string[] {
  const { data } = JSON.parse(readFileSync(file, 'utf8')) as {
    data: { paragraphs: { context: string; qas: { question: string }[] }[] }[]
  }
  return data.flatMap(({ paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) => [context, ...qas.map(({ question }) => question)]),
  )
}
