// The demo's folder. A second run starts afresh in it, so it removes what the first one made: only in a folder that
// carries the demo's mark, and only the entries that the demo makes.

import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../errors.ts'

const MARK = '.anneal-demo'
const ENTRIES = ['data', 'tokenizer', 'model', 'adapter', 'report.html', 'demo.json']

/** Throws a UsageError unless `directory` is free for a demo: new, empty, or made by an earlier one. Changes nothing. */
export function checkDemoDirectory(directory: string): void {
  if (!existsSync(directory)) return
  const isFolder = statSync(directory).isDirectory()
  if (isFolder && (existsSync(join(directory, MARK)) || readdirSync(directory).length === 0)) return
  throw new UsageError(
    `--out ${directory}: expected a new or empty folder or one of an earlier demo, got ${isFolder ? 'a folder with other files' : 'a file'}. Choose another`,
  )
}

/** Makes `directory` ready: marked, and without what an earlier demo left. */
export function clearDemoDirectory(directory: string): void {
  checkDemoDirectory(directory)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, MARK), 'Made by `anneal demo`, which empties this folder when it runs again.\n')
  for (const entry of ENTRIES) rmSync(join(directory, entry), { recursive: true, force: true })
}
