// Small made-up corpora for the tests of one file, and what a curation makes of them.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll } from 'vitest'
import { hashFile } from '../src/files/hash.ts'
import { type CurateConfigValues, curateConfig } from '../src/run/curate/config.ts'
import { type CurateResult, type RunCurateOptions, runCurate } from '../src/run/curate/run-curate.ts'
import { resultOf } from '../src/work.ts'

export const jsonl = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

export const WORDS: readonly string[] =
  'hest ko ged gris kat hund mus fugl fisk bi myre hval ulv ræv bjørn elg hare grævling egern pindsvin'.split(' ')

/** A sentence of its own for each number. */
export function text(seed: number, words = 60): string {
  let state = seed * 2654435761 + 12345
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state >> 8
  }
  return `${Array.from({ length: words }, () => `${WORDS[next() % WORDS.length]}${'abcdefghij'[next() % 10]}`).join(' ')}.`
}

/** What must be the same to the byte. */
export const hashes = (out: string): string[] =>
  [...readdirSync(join(out, 'data')).map((name) => join('data', name)), 'summary.json', 'report.html'].map(
    (name) => `${name} ${hashFile(join(out, name))}`,
  )

/** What {@link useCurations} gives. */
export interface Curations {
  /** Goes away after the tests. */
  folder: string
  /** A path in it that nothing lies at. */
  place(name?: string): string
  /** Writes a file into it, also below folders of its own. */
  file(name: string, content: string | Buffer): string
  /** Curates with one worker and no preset, if nothing else is said. */
  curate(
    values: CurateConfigValues & { inputs: string | string[] },
    options?: RunCurateOptions,
  ): Promise<CurateResult & { notices: string[]; texts: string[] }>
  /** Three sources with duplicates within and across them, near-duplicates, and a bad line in the first. */
  corpus: CurateConfigValues & { inputs: [string, string, string] }
}

/** Makes the folder and the corpus. */
export function useCurations(): Curations {
  const folder = mkdtempSync(join(tmpdir(), 'anneal-curate-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  let made = 0
  const place = (name = 'out'): string => join(folder, `${name}-${made++}`)
  const file = (name: string, content: string | Buffer): string => {
    const path = join(folder, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, content)
    return path
  }
  const curate: Curations['curate'] = async (values, options = {}) => {
    const out = values.output_dir ?? place()
    const notices: string[] = []
    const config = curateConfig({ preset: 'none', ...values, output_dir: out })
    const result = await resultOf(runCurate(config, { workers: 1, ...options }), (event) => {
      if (event.type === 'notice') notices.push(event.message)
    })
    return { ...result, notices, texts: rowsOf(out).map((row) => row.text) }
  }
  const a = file(
    'corpus/a.jsonl',
    `${jsonl(Array.from({ length: 40 }, (_, i) => ({ text: text(i), url: `u${i}` })))}{"text": broken\n${jsonl([{ text: text(3) }])}`,
  )
  const b = file(
    'corpus/b.jsonl.gz',
    gzipSync(jsonl(Array.from({ length: 30 }, (_, i) => ({ text: `${text(i + 30)}${i % 2 ? ' tilføjelse' : ''}` })))),
  )
  const c = file('corpus/c.txt', Array.from({ length: 20 }, (_, i) => text(i + 50)).join('\n\n'))
  const corpus: Curations['corpus'] = {
    inputs: [a, b, c],
    documents: 'blank-line',
    max_bad: 0.1,
    output: { file_mb: 0.005 },
  }
  return { folder, place, file, curate, corpus }
}

/** All rows of a result that are written as JSON lines. */
export function rowsOf(out: string): (Record<string, unknown> & { text: string; cluster_size: number })[] {
  const data = join(out, 'data')
  if (!existsSync(data)) return []
  return readdirSync(data)
    .sort()
    .flatMap((name) => readFileSync(join(data, name), 'utf8').split('\n'))
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}
