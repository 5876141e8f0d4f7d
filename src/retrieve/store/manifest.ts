// index.json: which segments an index is made of. It is replaced as a whole, and what it names never changes, so that whoever reads has
// one state or the next.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { readJsonFile } from '../../files/read-json.ts'
import type { CollectionStats } from '../bm25-formula.ts'
import type { IndexSettings } from './settings.ts'

export const MANIFEST = 'index.json'
const FORMAT = 'anneal-retrieval-index'
const VERSION = 1
/** A settings' list of stop words is the largest thing in it. */
const MAX_BYTES = 1 << 26

/** One segment. */
export interface SegmentEntry {
  file: string
  bytes: number
  sha256: string
  documents: number
  /** A file with the rows that were removed since, in order (uint32), and how many they are. */
  removed?: { file: string; count: number }
}

/** The state of an index. */
export interface Manifest extends CollectionStats {
  /** Counts the states. */
  generation: number
  /** Number of the next file. */
  next: number
  settings: IndexSettings
  /** In the order in which documents were added. */
  segments: SegmentEntry[]
  /** What whoever writes wants to find again, written in the same step; JSON. */
  state?: unknown
}

/** InputError where there is no index, or something else in its place. */
export function readManifest(directory: string): Manifest {
  const file = join(directory, MANIFEST)
  if (!existsSync(file))
    throw new InputError(
      `${directory}: expected an index, got ${existsSync(directory) ? `no ${MANIFEST} in it` : 'nothing there'}. Make one with \`anneal index build\``,
    )
  const json = readJsonFile(file, MAX_BYTES) as Partial<Manifest & { format: unknown; version: unknown }> | null
  if (json?.format !== FORMAT)
    throw new InputError(`${file}: expected format ${FORMAT}, got another file. Name the folder of an index`)
  if (json.version !== VERSION)
    throw new InputError(
      `${file}: expected version ${VERSION}, got ${JSON.stringify(json.version)}. Use the version of Anneal that wrote it, or build the index again`,
    )
  const isWhole =
    Array.isArray(json.segments) &&
    json.segments.every(isEntry) &&
    [json.generation, json.next, json.documents, json.withWords, json.tokens].every(isCount) &&
    typeof json.settings?.bm25 === 'object' &&
    typeof json.settings.tokenizer === 'object'
  if (!isWhole)
    throw new InputError(
      `${file}: expected settings, counts and segments, got others. It is damaged: build the index again`,
    )
  return json as Manifest
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
/** Names that this writes, and nothing that leads out of the folder. */
const FILE = /^(?:segment|removed)-\d+\.bin$/

function isEntry(entry: Partial<SegmentEntry> | null): boolean {
  const isFile = (name: unknown): boolean => typeof name === 'string' && FILE.test(name)
  const removed = entry?.removed
  return (
    isFile(entry?.file) &&
    isCount(entry?.bytes) &&
    isCount(entry?.documents) &&
    (removed === undefined || (isFile(removed.file) && isCount(removed.count)))
  )
}

/** Makes this the state of the index. */
export function writeManifest(directory: string, manifest: Manifest): void {
  const json = { format: FORMAT, version: VERSION, ...manifest }
  writeFileAtomic(join(directory, MANIFEST), `${JSON.stringify(json, null, 1)}\n`)
}

/** Removes the files that the manifest does not name: older states, and what a killed writer left. Only for who holds the lock. */
export function sweep(directory: string, { segments }: Pick<Manifest, 'segments'>): void {
  sweepLeftovers(directory)
  const named = new Set(segments.flatMap(({ file, removed }) => [file, removed?.file]))
  for (const name of readdirSync(directory))
    if (FILE.test(name) && !named.has(name)) rmSync(join(directory, name), { force: true })
}

/** Rows that were removed of a segment, 1 for each; undefined where none was. System errors pass through. */
export function readRemoved(directory: string, { documents, removed }: SegmentEntry): Uint8Array | undefined {
  if (removed === undefined) return undefined
  const file = join(directory, removed.file)
  const bytes = readBounded(file, 4 * documents)
  const flags = new Uint8Array(documents)
  const rows = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 4 * (bytes.length >> 2)))
  for (const row of rows) if (row < documents) flags[row] = 1
  const count = flags.reduce((sum, flag) => sum + flag, 0)
  if (bytes.length !== 4 * removed.count || count !== removed.count)
    throw new InputError(
      `${file}: expected ${removed.count} rows of ${documents}, got other bytes. It is damaged: build the index again`,
    )
  return flags
}

/** Writes which rows are removed. */
export function writeRemoved(directory: string, file: string, flags: Uint8Array): NonNullable<SegmentEntry['removed']> {
  const rows = Uint32Array.from([...flags.keys()].filter((row) => flags[row] === 1))
  writeFileAtomic(join(directory, file), new Uint8Array(rows.buffer))
  return { file, count: rows.length }
}
