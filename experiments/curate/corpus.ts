// A corpus to measure on: real text, generated text with its words, and planted duplicates whose number is known.
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { readDocuments } from '../../src/data/read/sources.ts'

/** Numbers from 0 to 1 that are the same each time. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** What was written. */
export interface Corpus {
  folder: string
  documents: number
  bytes: number
  /** Copies of an earlier text, and copies with a few words changed. */
  exact: number
  near: number
}

/** Writes files of JSON lines, `megabytes` in all: a fifth real text, 5 % copies, 5 % near-copies, the rest by a chain of real word pairs. */
export async function makeCorpus(
  folder: string,
  megabytes: number,
  data: readonly string[],
  fileMegabytes = 64,
): Promise<Corpus> {
  mkdirSync(folder, { recursive: true })
  const real: string[] = []
  for await (const { text } of readDocuments(data, { maxBadFraction: 0.1 }))
    for (let at = 0; at < text.length; at += 4000) real.push(text.slice(at, at + 4000))
  const followers = new Map<string, string[]>()
  const starts: string[] = []
  for (const text of real.slice(0, 2000)) {
    const words = text.split(/\s+/).filter(Boolean)
    for (let i = 1; i < words.length; i++) {
      const list = followers.get(words[i - 1]!)
      if (list === undefined) followers.set(words[i - 1]!, [words[i]!])
      else if (list.length < 200) list.push(words[i]!)
      if (/[.!?]$/.test(words[i - 1]!)) starts.push(words[i]!)
    }
  }
  const random = randomFrom(1)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const sentence = (): string => {
    const words = [pick(starts)]
    while (words.length < 40 && !/[.!?]$/.test(words.at(-1)!)) words.push(pick(followers.get(words.at(-1)!) ?? starts))
    return words.join(' ')
  }
  const generated = (): string => {
    const length = 300 + random() * 5000
    const lines: string[] = []
    for (let size = 0; size < length; ) {
      const line = Array.from({ length: 1 + Math.floor(random() * 4) }, sentence).join(' ')
      lines.push(line)
      size += line.length
    }
    return lines.join('\n')
  }
  const corpus: Corpus = { folder, documents: 0, bytes: 0, exact: 0, near: 0 }
  const recent: string[] = []
  let descriptor: number | undefined
  let inFile = 0
  let files = 0
  for (let next = 0; corpus.bytes < megabytes * 1e6; ) {
    const draw = random()
    let text: string
    if (recent.length > 100 && draw < 0.05) {
      text = pick(recent)
      corpus.exact++
    } else if (recent.length > 100 && draw < 0.1) {
      const words = pick(recent).split(' ')
      words[Math.floor(random() * words.length)] = 'ændret'
      text = words.join(' ')
      corpus.near++
    } else {
      text = draw < 0.3 && next < real.length ? real[next++]! : generated()
      if (recent.length < 2000) recent.push(text)
      else recent[Math.floor(random() * 2000)] = text
    }
    if (descriptor === undefined || inFile > fileMegabytes * 1e6) {
      if (descriptor !== undefined) closeSync(descriptor)
      descriptor = openSync(join(folder, `${String(files++).padStart(4, '0')}.jsonl`), 'w')
      inFile = 0
    }
    const line = Buffer.from(`${JSON.stringify({ text })}\n`)
    writeSync(descriptor, line)
    inFile += line.length
    corpus.bytes += Buffer.byteLength(text)
    corpus.documents++
  }
  if (descriptor !== undefined) closeSync(descriptor)
  return corpus
}
