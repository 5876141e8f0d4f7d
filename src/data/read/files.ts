// Which files are meant by a list of paths, and in which format each one is.
// Directories are walked in name order, so that the same tree gives the same documents in the same order everywhere.

import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { hasCode, InputError, UnsupportedError } from '../../errors.ts'
import { readChunks } from './formats/chunks.ts'
import type { ReadContext } from './formats/read-context.ts'

/** The ways in which a file can hold rows. */
export type FileFormat = 'text' | 'json-lines' | 'json-array' | 'json-object' | 'csv' | 'tsv' | 'parquet'

const FORMATS: Readonly<Record<string, FileFormat>> = {
  '.txt': 'text',
  '.text': 'text',
  '.md': 'text',
  '.markdown': 'text',
  '.jsonl': 'json-lines',
  '.ndjson': 'json-lines',
  '.json': 'json-array',
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.parquet': 'parquet',
}

/** What is looked at to tell JSON Lines from other JSON and from text. */
const SNIFFED_BYTES = 64 * 1024

/** The data files under the paths. In a directory: those with a known extension, or one of `extensions` (`.md`). */
export function listFiles(paths: readonly string[], extensions?: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const status = statusOf(path)
    if (status.isDirectory()) {
      const found = filesUnder(path, extensions)
      if (found.length > 0) return found
      throw new InputError(
        `directory ${path}: expected a file ending in ${(extensions ?? Object.keys(FORMATS)).join(', ')}, got none`,
      )
    }
    if (!status.isFile()) throw new InputError(`path ${path}: expected a file or directory, got a device or pipe`)
    if (extensionOf(path) in FORMATS) return [path]
    throw new UnsupportedError(
      `file ${path}: expected a name ending in ${Object.keys(FORMATS).join(', ')} (and .gz), got '${basename(path)}'. ` +
        'Rename it after what it holds',
    )
  })
}

function filesUnder(directory: string, extensions: readonly string[] | undefined): string[] {
  const entries = readdirSync(directory, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'))
  // By code unit, not by locale: the order must not depend on the machine.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return filesUnder(path, extensions)
    const extension = extensionOf(path)
    const isWanted = extension in FORMATS && (extensions === undefined || extensions.includes(extension))
    // A link to a file counts as the file; a link to a directory is not followed, so that a walk always ends.
    return isWanted && statusOf(path).isFile() ? [path] : []
  })
}

/** The format of the context's file, from its name and, for JSON and text, its first bytes; says so where they differ. */
export async function formatOf(context: ReadContext): Promise<FileFormat> {
  const { file } = context
  const named = FORMATS[extensionOf(file)]!
  if (named === 'csv' || named === 'tsv' || named === 'parquet') return named
  const found = sniffJson(await startOf(context))
  if (named === 'text') {
    if (found !== 'json-lines') return 'text'
    context.notice(`${file} holds JSON lines: it is read as .jsonl, not as text`)
    return found
  }
  if (found === undefined || found === 'json-object') return named === 'json-array' ? 'json-object' : named
  if (found !== named) {
    context.notice(`${file} holds ${found === 'json-array' ? 'a JSON array' : 'JSON lines'}: it is read as that`)
  }
  return found
}

/** What the start of a file looks like; undefined where it is not JSON. */
function sniffJson(start: string): FileFormat | undefined {
  const text = start.replace(/^\uFEFF/, '').trimStart()
  if (text.startsWith('[')) return 'json-array'
  if (!text.startsWith('{')) return undefined
  const [line] = text.split('\n', 1) as [string]
  // Of a line that is longer than what was looked at only the beginning can be judged.
  const isCut = line.length === text.length && start.length >= SNIFFED_BYTES
  return (isCut ? /^\{\s*"/.test(line) : isJsonObject(line)) ? 'json-lines' : 'json-object'
}

function isJsonObject(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false
  }
}

async function startOf(context: ReadContext): Promise<string> {
  let start = ''
  // Faults found here would be found, and counted, again when the file is read.
  const silent: ReadContext = { ...context, bad: () => {}, notice: () => {} }
  for await (const chunk of readChunks(silent)) {
    start += chunk.subarray(0, SNIFFED_BYTES).toString('utf8')
    if (start.length >= SNIFFED_BYTES) break
  }
  return start
}

/** The extension that tells the format, in lower case: `.jsonl` of `a.JSONL.gz`. */
export function extensionOf(path: string): string {
  const name = basename(path).toLowerCase().replace(/\.gz$/, '')
  const dot = name.lastIndexOf('.')
  return dot === -1 ? '' : name.slice(dot)
}

function statusOf(path: string): ReturnType<typeof statSync> & object {
  try {
    return statSync(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    throw new InputError(`path ${path}: expected a file or directory, got nothing there. Check the spelling`)
  }
}
