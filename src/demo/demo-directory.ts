// The demo's folder. It is touched only where it is new, empty, or carries the demo's mark, and only the entries that the demo makes.
// A whole demo stays until the next one is whole: that one is built beside it and takes its place at the end.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { UsageError } from '../errors.ts'
import { pathBeside, sweepLeftovers } from '../files/leftover.ts'
import { makeOutputDirectory } from '../files/output-directory.ts'
import { readJsonFile } from '../files/read-json.ts'

const MARK = '.anneal-demo'
/** The numbers of a demo and a hash of what it was made from; written last, so a demo without it is not whole. */
const RESULTS = 'demo.json'
const ENTRIES = ['data', 'tokenizer', 'model', 'adapter', 'report.html']
const MAX_RESULTS_BYTES = 1 << 20
/** Files that name the folder they were built in. */
const NAMING = /\.(?:json|jsonl|ya?ml|md|html)$/

/** Throws a UsageError unless `directory` is free for a demo: new, empty, or made by an earlier one. Changes nothing. */
export function checkDemoDirectory(directory: string): void {
  if (!existsSync(directory)) return
  const isFolder = statSync(directory).isDirectory()
  if (isFolder && (existsSync(join(directory, MARK)) || readdirSync(directory).length === 0)) return
  throw new UsageError(
    `out: expected a new or empty folder or one of an earlier demo, got ${isFolder ? 'the folder' : 'the file'} ${directory}${isFolder ? ' with other files' : ''}. Choose another one`,
  )
}

/** What demo.json says, where all that a demo leaves is there; undefined for a demo that is not whole. */
export function readDemo(directory: string): (Record<string, unknown> & { inputs?: string }) | undefined {
  const needed = [RESULTS, 'data', 'tokenizer/tokenizer.json', 'model/model.safetensors', 'report.html']
  if (!needed.every((name) => existsSync(join(directory, name)))) return undefined
  const results = readJsonFile(join(directory, RESULTS), MAX_RESULTS_BYTES)
  return typeof results === 'object' && results !== null ? (results as Record<string, unknown>) : undefined
}

export interface DemoBuild {
  /** Where the new demo is built. */
  directory: string
  /** Puts it in its place, once its report is written. */
  finish(): void
  /** Takes away what was built beside a whole demo; what was built in place stays. */
  abandon(): void
}

/** Begins a demo in `out`: in place where there is no whole one, else beside it. */
export function beginDemo(out: string): DemoBuild {
  checkDemoDirectory(out)
  const parent = dirname(resolve(out))
  makeOutputDirectory(parent, 'out')
  sweepLeftovers(parent)
  if (readDemo(out) === undefined) {
    makeOutputDirectory(out, 'out')
    mark(out)
    for (const entry of [RESULTS, ...ENTRIES]) rmSync(join(out, entry), { recursive: true, force: true })
    return { directory: out, finish: () => {}, abandon: () => {} }
  }
  const directory = pathBeside(out, 'tmp')
  makeOutputDirectory(directory, 'out')
  return {
    directory,
    finish: () => takePlace(directory, out),
    abandon: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** Entry by entry, demo.json last: a demo that is half the old and half the new one is not whole, and is made again. */
function takePlace(from: string, out: string): void {
  rename(from, from, out)
  rmSync(join(out, RESULTS), { force: true })
  for (const entry of [...ENTRIES, RESULTS]) {
    rmSync(join(out, entry), { recursive: true, force: true })
    if (existsSync(join(from, entry))) renameSync(join(from, entry), join(out, entry))
  }
  rmSync(from, { recursive: true, force: true })
}

/** Writes `to` for `from` in the files below `directory` that name it; its name is too long to stand there by chance. */
function rename(directory: string, from: string, to: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    // Text that the model learnt names no folder of ours, and checkpoints are whole as they are.
    if (entry.isDirectory() && entry.name !== 'data' && !entry.name.startsWith('checkpoint-')) rename(path, from, to)
    if (!entry.isFile() || !NAMING.test(entry.name)) continue
    const text = readFileSync(path, 'utf8')
    const renamed = text.replaceAll(resolve(from), resolve(to)).replaceAll(from, to)
    if (renamed !== text) writeFileSync(path, renamed)
  }
}

function mark(directory: string): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, MARK), 'Made by `anneal demo`, which puts a new demo in the place of this one.\n')
}
