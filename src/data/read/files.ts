// Which files are meant by a list of paths, and in which format each one is.
// Directories are walked in name order, so that the same tree gives the same documents in the same order everywhere.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { hasCode, InputError, UnsupportedError } from '../../errors.ts'
import { openPlainFile } from '../../files/open-plain-file.ts'
import { cachedDataset } from '../../hub/pull-dataset.ts'
import { readChunks } from './formats/chunks.ts'
import type { ReadContext } from './formats/read-context.ts'
import { leftOutFiles } from './left-out-files.ts'

/** The ways in which a file can hold rows. */
export type FileFormat =
  | 'text'
  | 'json-lines'
  | 'json-array'
  | 'json-wrapped'
  | 'json-object'
  | 'csv'
  | 'tsv'
  | 'parquet'
  | 'html'
  | 'warc'

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

/** What curation reads besides: pages that are no text before something is taken out of them. */
const CORPUS_FORMATS: Readonly<Record<string, FileFormat>> = {
  ...FORMATS,
  '.html': 'html',
  '.htm': 'html',
  '.xhtml': 'html',
  '.warc': 'warc',
}

/** What is looked at to tell JSON Lines from other JSON and from text. */
const SNIFFED_BYTES = 64 * 1024

/** Names under which one object holds all rows: `{"version": 1, "data": [{…}, …]}`. */
const WRAPPERS = 'data|rows|examples|train|records|items|instances|samples'
const SCALAR = '(?:"(?:[^"\\\\]|\\\\.)*"|-?[\\d.eE+-]+|true|false|null)'
const WRAPPED = new RegExp(
  `^\\{(?:\\s*"(?:[^"\\\\]|\\\\.)*"\\s*:\\s*${SCALAR}\\s*,)*\\s*"(${WRAPPERS})"\\s*:\\s*\\[\\s*\\{`,
)

/**
 * The data files under the paths; of a dataset's name on the hub, those of it that are in the cache. In a directory: those with a known
 * extension, or one of `extensions` (`.md`). `notice` hears of files that are left out, of links that lead nowhere and of linked
 * folders, which are not walked. With `isCorpus` also pages of the web; with `further` also files that end so, which the caller reads.
 */
export function listFiles(
  paths: readonly string[],
  extensions?: readonly string[],
  notice: (message: string) => void = () => {},
  isCorpus = false,
  further: readonly string[] = [],
): string[] {
  const read = isCorpus ? CORPUS_FORMATS : FORMATS
  const formats = new Set([...Object.keys(read), ...further])
  return paths.flatMap((path) => {
    const named = existsSync(path) ? undefined : cachedDataset(path)
    if (named !== undefined) return named
    const status = statusOf(path)
    if (status.isDirectory()) {
      const unknown: { path: string; extension: string }[] = []
      const found = filesUnder(path, formats, extensions, notice, unknown)
      const leftOut = leftOutFiles(path, unknown)
      if (found.length > 0) {
        if (leftOut !== undefined) notice(leftOut)
        return found
      }
      throw new InputError(
        `directory ${path}: expected a file ending in ${(extensions ?? [...formats]).join(', ')}, got none`,
      )
    }
    if (!status.isFile()) throw new InputError(`path ${path}: expected a file or directory, got a device or pipe`)
    if (formats.has(extensionOf(path))) return [readable(path)]
    throw new UnsupportedError(
      `file ${path}: expected a name ending in ${[...formats].join(', ')} (and .gz or .zst), got '${basename(path)}'. ` +
        'Rename it after what it holds',
    )
  })
}

function filesUnder(
  directory: string,
  formats: ReadonlySet<string>,
  extensions: readonly string[] | undefined,
  notice: (message: string) => void,
  unknown: { path: string; extension: string }[],
): string[] {
  const entries = orRefused(directory, () => readdirSync(directory, { withFileTypes: true })).filter(
    ({ name }) => !name.startsWith('.'),
  )
  // By code unit, not by locale: the order must not depend on the machine.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return filesUnder(path, formats, extensions, notice, unknown)
    const extension = extensionOf(path)
    const isWanted = formats.has(extension) && (extensions === undefined || extensions.includes(extension))
    if (entry.isSymbolicLink()) {
      // A link to a file counts as the file; a link to a directory is not followed, so that a walk always ends.
      const target = statSync(path, { throwIfNoEntry: false })
      if (target === undefined && isWanted)
        notice(`${path} is a link to ${readlinkSync(path)}, which is not there: left out`)
      if (target?.isDirectory())
        notice(`${path} is a link to a folder and is not followed: name it beside ${directory} to read it`)
    }
    if (!isWanted && statSync(path, { throwIfNoEntry: false })?.isFile()) unknown.push({ path, extension })
    return isWanted && statSync(path, { throwIfNoEntry: false })?.isFile() ? [readable(path)] : []
  })
}

/** The path, once it is known that its file may be read. */
function readable(path: string): string {
  orRefused(path, () => accessSync(path, constants.R_OK))
  return path
}

/** What `action` gives; InputError where the system does not let us. */
export function orRefused<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM')) throw error
    throw new InputError(
      `path ${path}: expected the right to read it, got ${(error as NodeJS.ErrnoException).code}. Give it (chmod +r, for folders +rx) or run as its owner`,
    )
  }
}

/** The format of the context's file, from its name and, for JSON and text, its first bytes; says so where they differ. */
export async function formatOf(context: ReadContext): Promise<FileFormat> {
  const { file } = context
  const named = CORPUS_FORMATS[extensionOf(file)]!
  if (named !== 'text' && !named.startsWith('json')) return named
  const start = (await startOf(context)).replace(/^\uFEFF/, '').trimStart()
  const found = sniffJson(start)
  if (named === 'text') {
    if (found !== 'json-lines') return 'text'
    context.notice(`${file} holds JSON lines: it is read as .jsonl, not as text`)
    return found
  }
  const wrapper = named === 'json-array' ? WRAPPED.exec(start)?.[1] : undefined
  if (wrapper !== undefined) {
    context.notice(`${file} is one object: its rows are read from '${wrapper}'`)
    return 'json-wrapped'
  }
  if (found === undefined || found === 'json-object') return named === 'json-array' ? 'json-object' : named
  if (found !== named) {
    context.notice(`${file} holds ${found === 'json-array' ? 'a JSON array' : 'JSON lines'}: it is read as that`)
  }
  return found
}

/** Whether a file is JSON lines, by its name and its beginning, and not compressed: any line of it can be read by itself. */
export function isPlainJsonLines(path: string): boolean {
  return FORMATS[extensionOf(path)] === 'json-lines' && /^\s*["{]/.test(beginningOf(path).replace(/^\uFEFF/, ''))
}

/** Whether a file's name says that it is running text: a document and not rows. */
export function isNamedText(path: string): boolean {
  return FORMATS[extensionOf(path)] === 'text'
}

/** Whether a file's name says that it is Markdown. */
export function isNamedMarkdown(path: string): boolean {
  return ['.md', '.markdown'].includes(extensionOf(path))
}

/**
 * Whether `path` holds data to learn from and not a configuration: a folder, or a file whose name says so. A .json file does where it is
 * a list, by itself or under one of the usual names: a configuration never is.
 */
export function holdsData(path: string): boolean {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status?.isDirectory()) return true
  const extension = extensionOf(path)
  if (!(extension in FORMATS)) return false
  if (FORMATS[extension] !== 'json-array' || /\.(?:gz|zst)$/i.test(path)) return true
  if (status === undefined) return false
  const start = beginningOf(path)
    .replace(/^\uFEFF/, '')
    .trimStart()
  return start.startsWith('[') || WRAPPED.test(start)
}

function beginningOf(path: string): string {
  const { descriptor, size } = openPlainFile(path)
  try {
    const bytes = Buffer.alloc(Math.min(size, SNIFFED_BYTES))
    return bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, 0))
  } finally {
    closeSync(descriptor)
  }
}

/** What the start of a file looks like; undefined where it is not JSON. */
function sniffJson(text: string): FileFormat | undefined {
  if (text.startsWith('[')) return 'json-array'
  if (!text.startsWith('{')) return undefined
  const [line] = text.split('\n', 1) as [string]
  // Of a line that is longer than what was looked at only the beginning can be judged.
  const isCut = line.length === text.length && text.length >= SNIFFED_BYTES / 2
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
  const silent: ReadContext = { ...context, bad: () => {}, notice: () => {}, taken: () => {} }
  for await (const chunk of readChunks(silent)) {
    start += chunk.subarray(0, SNIFFED_BYTES).toString('utf8')
    if (start.length >= SNIFFED_BYTES) break
  }
  return start
}

/** The extension that tells the format, in lower case: `.jsonl` of `a.JSONL.gz` and `a.jsonl.zst`. */
export function extensionOf(path: string): string {
  const name = basename(path)
    .toLowerCase()
    .replace(/\.(?:gz|zst)$/, '')
  const dot = name.lastIndexOf('.')
  return dot === -1 ? '' : name.slice(dot)
}

function statusOf(path: string): ReturnType<typeof statSync> & object {
  try {
    return orRefused(path, () => statSync(path))
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    const link = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined
    const got = link === undefined ? 'nothing there. Check the spelling' : `a link to ${link}, which is not there`
    throw new InputError(`path ${path}: expected a file or directory, got ${got}`)
  }
}
