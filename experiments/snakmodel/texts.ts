// The experiment's texts: source and target language, each split by document before anything else, and near copies across a split left out.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { listFiles } from '../../src/data/read/files.ts'
import { readDocuments } from '../../src/data/read/sources.ts'
import { sideOf } from '../../src/data/split.ts'
import { readConllu } from '../../src/eval/tasks/scala.ts'
import { withoutCopies } from '../setting/copies.ts'

/** A text, and the work that it is part of: works stand on one side of a split as a whole. */
export interface Text {
  text: string
  work: string
}

export interface Texts {
  source: Sides
  /** Sentences of newspapers and the web. */
  target: Sides
  /** Books of another time, by book. */
  books: Sides
}

export interface Sides {
  train: string[]
  held: string[]
  /** Held-out texts that went, because they are near copies of training texts. */
  copies: number
}

/** Books: `Gen.1:1 In the beginning …`, a chapter is a text. Other .txt files: a line is a text. Whatever else: as `anneal train` reads it. */
export async function textsIn(paths: readonly string[]): Promise<Text[]> {
  const texts: Text[] = []
  for (const path of listFiles(paths)) {
    if (path.endsWith('.txt')) texts.push(...ofLines(readFileSync(path, 'utf8'), basename(path)))
    else for await (const { text } of readDocuments(path)) texts.push({ text, work: text })
  }
  return texts
}

const VERSE = /^([A-Za-zÆØÅæøå\d]+)\.(\d+):\d+ (.+)$/

function ofLines(content: string, file: string): Text[] {
  const chapters = new Map<string, { work: string; verses: string[] }>()
  const texts: Text[] = []
  for (const line of content.split(/\r?\n/)) {
    const [, book, chapter, verse] = VERSE.exec(line) ?? []
    if (book === undefined) {
      if (line.length >= 200) texts.push({ text: line, work: line })
      continue
    }
    const key = `${book} ${chapter}`
    const known = chapters.get(key) ?? { work: `${file}: ${book}`, verses: [] }
    known.verses.push(verse!)
    chapters.set(key, known)
  }
  return [...texts, ...[...chapters.values()].map(({ work, verses }) => ({ text: verses.join(' '), work }))]
}

/** A share of the works is held out, and of it what is a near copy of a training text goes. */
export function sidesOf(texts: readonly Text[], fraction: number): Sides {
  const isHeld = ({ work }: Text): boolean => sideOf(work, { fraction, salt: 'snakmodel' }) === 'validation'
  const train = texts.filter((text) => !isHeld(text))
  const held = texts.filter(isHeld)
  const kept = withoutCopies(train, held)
  const plain = (list: readonly Text[]): string[] => list.map(({ text }) => text)
  return { train: plain(train), held: plain(kept), copies: held.length - kept.length }
}

/** The sentences of a treebank that are no near copy of a training text. */
export function treebank(
  path: string,
  train: readonly string[],
): { sentences: ReturnType<typeof readConllu>; copies: number } {
  const all = readConllu(readFileSync(path, 'utf8'), path).map((tokens) => ({
    tokens,
    text: tokens.map(({ form }) => form).join(' '),
  }))
  const kept = withoutCopies(
    train.map((text) => ({ text })),
    all,
  )
  return { sentences: kept.map(({ tokens }) => tokens), copies: all.length - kept.length }
}
