// The checkpoints of a training run: output_dir/checkpoint-N, each there whole or not at all.
// Order of a save: check space · write into a temporary directory beside the target · fsync each file · manifest.json last ·
// fsync the directory · rename · fsync the parent · only then remove old ones. There is no `latest` pointer that could lie:
// the newest checkpoint is the valid manifest with the highest step.

import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { CheckpointError } from '../../errors.ts'
import {
  diskFullError,
  freeBytes,
  syncPath,
  type WrittenFile,
  withDiskFullError,
  writeFileAtomic,
} from '../../files/atomic-write.ts'
import { faultPoint } from '../../files/fault.ts'
import { hashFile } from '../../files/hash.ts'
import { pathBeside, sweepLeftovers } from '../../files/leftover.ts'
import {
  type CheckpointMeta,
  formatManifest,
  MANIFEST,
  type Manifest,
  readManifest,
  verifyCheckpoint,
} from './manifest.ts'

const NAME = /^checkpoint-(\d+)$/
const SPACE_FACTOR = 1.1 // room for logs and for growth since the last checkpoint

/** A directory named checkpoint-N. `manifest` is undefined, and `problem` says why, if it cannot be trusted. */
export interface CheckpointEntry {
  readonly path: string
  readonly step: number
  readonly manifest: Manifest | undefined
  readonly problem: string | undefined
}

/** A checkpoint that was written or verified. */
export interface Checkpoint {
  readonly path: string
  readonly step: number
  readonly manifest: Manifest
}

/** Options of {@link writeCheckpoint}. */
export interface CheckpointOptions {
  /** Most checkpoints to keep, the new one included; older ones are removed after it is safe. Absent: keep all. */
  readonly saveTotalLimit?: number
  /** Path of the best checkpoint so far, which is never removed. */
  readonly bestCheckpoint?: string
  /** Bytes that this checkpoint will take, if known; otherwise the size of the last one is taken. */
  readonly expectedBytes?: number
}

/**
 * Writes output_dir/checkpoint-`step`, replacing one of that name. `write(directory)` puts the files there and may return
 * those whose hash it knows already. Throws a DiskFullError with everything as before if there is no room.
 */
export async function writeCheckpoint(
  outputDir: string,
  step: number,
  write: (directory: string) => Promise<readonly WrittenFile[] | undefined> | readonly WrittenFile[] | undefined,
  meta: CheckpointMeta,
  options: CheckpointOptions = {},
): Promise<Checkpoint> {
  mkdirSync(outputDir, { recursive: true })
  const path = join(outputDir, `checkpoint-${step}`)
  const needed = Math.ceil(SPACE_FACTOR * (options.expectedBytes ?? lastCheckpointBytes(outputDir)))
  if (freeBytes(outputDir) < needed) throw diskFullError(path, needed, 'checked before writing')
  const staged = pathBeside(path, 'tmp')
  await withDiskFullError(path, needed, async () => {
    try {
      mkdirSync(staged)
      faultPoint('staged')
      const known = (await write(staged)) ?? []
      const files = collectFiles(staged, new Map(known.map((file) => [file.path, file])))
      faultPoint('files-synced')
      writeFileAtomic(join(staged, MANIFEST), formatManifest({ step, created: new Date().toISOString(), files, meta }))
      faultPoint('manifest-written')
      putInPlace(staged, path)
    } finally {
      rmSync(staged, { recursive: true, force: true })
    }
  })
  rotate(outputDir, path, options)
  return { path, step, manifest: readManifest(path) }
}

/** All directories named checkpoint-N in a run, by rising step; manifests are read, files are not hashed. */
export function findCheckpoints(outputDir: string): CheckpointEntry[] {
  const names = existsSync(outputDir) ? readdirSync(outputDir).filter((name) => NAME.test(name)) : []
  return names
    .map((name) => inspect(join(outputDir, name)))
    .sort((a, b) => a.step - b.step || (a.path < b.path ? -1 : 1))
}

/**
 * The newest checkpoint of a run that verifies completely, or undefined. Reports each damaged newer one through `onDamaged`.
 * First clears away what processes that were killed left behind.
 */
export function latestValid(
  outputDir: string,
  onDamaged: (path: string, problem: string) => void = () => {},
): Checkpoint | undefined {
  sweepLeftovers(outputDir)
  for (const { path, step, problem } of findCheckpoints(outputDir).reverse()) {
    try {
      if (problem === undefined) return { path, step, manifest: verifyCheckpoint(path) }
      onDamaged(path, problem)
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error
      onDamaged(path, error.message)
    }
  }
  return undefined
}

function inspect(path: string): CheckpointEntry {
  try {
    const manifest = readManifest(path)
    return { path, step: manifest.step, manifest, problem: undefined }
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error
    const step = Number(NAME.exec(basename(path))![1])
    return { path, step, manifest: undefined, problem: error.message }
  }
}

/** Lists, hashes (unless known) and fsyncs every file below `root`. */
function collectFiles(
  root: string,
  known: ReadonlyMap<string, WrittenFile>,
  directory: string = root,
): Manifest['files'][number][] {
  const files: Manifest['files'][number][] = []
  for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) {
      files.push(...collectFiles(root, known, path))
      continue
    }
    if (!entry.isFile()) {
      throw new CheckpointError(
        `cannot save ${path} in a checkpoint: expected a plain file, got a link or device. Copy it`,
      )
    }
    const { size } = lstatSync(path)
    const written = known.get(path)
    const isKnown = written?.size === size
    if (!isKnown) syncPath(path)
    files.push({
      path: relative(root, path).split(sep).join('/'),
      size,
      sha256: isKnown ? written.sha256 : hashFile(path),
    })
  }
  syncPath(directory)
  return files
}

/** Renames a complete checkpoint to its name. An older one of that name steps aside first and comes back if we die between. */
function putInPlace(staged: string, path: string): void {
  const parent = join(path, '..')
  let aside: string | undefined
  if (existsSync(path)) {
    aside = pathBeside(path, 'old')
    renameSync(path, aside)
    faultPoint('old-aside')
  }
  try {
    renameSync(staged, path)
  } catch (error) {
    if (aside !== undefined) renameSync(aside, path)
    throw error
  }
  faultPoint('directory-renamed')
  syncPath(parent)
  faultPoint('run-synced')
  if (aside !== undefined) rmSync(aside, { recursive: true, force: true })
}

function rotate(outputDir: string, newest: string, { saveTotalLimit, bestCheckpoint }: CheckpointOptions): void {
  if (saveTotalLimit === undefined) return
  // What has no readable manifest is not ours to delete.
  const ours = findCheckpoints(outputDir).filter(({ manifest }) => manifest !== undefined)
  const isKept = ({ path }: CheckpointEntry): boolean =>
    basename(path) === basename(newest) || (bestCheckpoint !== undefined && basename(path) === basename(bestCheckpoint))
  const surplus = Math.max(0, ours.length - Math.max(1, saveTotalLimit))
  for (const { path } of ours.filter((entry) => !isKept(entry)).slice(0, surplus)) {
    // Renamed first: a checkpoint whose removal is cut short must not look like a damaged one.
    const dropped = pathBeside(path, 'drop')
    renameSync(path, dropped)
    faultPoint('dropped')
    rmSync(dropped, { recursive: true, force: true })
    faultPoint('rotated')
  }
}

function lastCheckpointBytes(outputDir: string): number {
  const last = findCheckpoints(outputDir).findLast(({ manifest }) => manifest !== undefined)
  return last?.manifest?.files.reduce((sum, { size }) => sum + size, 0) ?? 0
}
