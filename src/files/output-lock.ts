// One writer at a time for an output: a lock file that says which process holds it. A crash does not leave it closed, for it counts
// only while that process lives. It is seen by processes that see each other, which those of two containers do not.

import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { hasCode, UsageError } from '../errors.ts'
import { withDiskFullError } from './atomic-write.ts'
import { pathBeside } from './leftover.ts'

/** A lock whose file cannot be read yet is being written, where files cannot be linked; older than this, its writer has died before it was. */
const WRITING_MS = 1000

/** What a file system says that cannot link files. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'] as const

interface Holder {
  pid: number
  /** When the process began, as the system counts it: another process may get the same id later. */
  began: string
  since: string
}

/**
 * Takes the lock `file` for writing `target`, which `option` names; the function returned gives it back. A lock left by a process
 * that is gone is taken over. UsageError where a living process holds it, this one included.
 *
 * @example
 * const unlock = lockOutput(join(directory, '.lock'), directory, 'output_dir')
 */
export function lockOutput(file: string, target: string, option: string): () => void {
  const own: Holder = { pid: process.pid, began: beginningOf(process.pid), since: new Date().toISOString() }
  while (!withDiskFullError(target, 0, () => create(file, own))) {
    const holder = readHolder(file)
    if (holder === 'gone') continue
    if (holder === 'unreadable' || isAlive(holder)) throw takenError(holder, target, option)
    takeAway(file, holder)
  }
  const release = (): void => {
    process.off('exit', release)
    if (same(readHolder(file), own)) rmSync(file, { force: true })
  }
  process.on('exit', release)
  return release
}

/** The lock that lies in a folder. */
export const LOCK = '.lock'

/** A parent that may not be written: nobody makes the folder new there, and the lock in it is enough. */
const READ_ONLY = ['EACCES', 'EPERM', 'EROFS'] as const

/**
 * Takes the folder (or the file) `target` for one writer, whoever it is: training, an edit, an export, a pipeline. Where it is a folder
 * already the lock lies in it; one that is still to be made is locked beside it. The function returned gives it back. UsageError where
 * a living process holds it.
 */
export function lockTarget(target: string, option: string): () => void {
  const unlockBeside = lockBeside(target, option)
  if (statSync(target, { throwIfNoEntry: false })?.isDirectory() !== true) return unlockBeside
  try {
    // Whoever makes the folder holds the lock beside it, so that both are taken before one is enough.
    return lockOutput(join(target, LOCK), target, option)
  } finally {
    unlockBeside()
  }
}

function lockBeside(target: string, option: string): () => void {
  const path = resolve(target)
  try {
    return lockOutput(join(dirname(path), `.${basename(path)}.lock`), target, option)
  } catch (error) {
    if (!hasCode(error, ...READ_ONLY)) throw error
    return () => {}
  }
}

/** Puts the file there with what is in it, in one step: nobody sees it empty, whenever this process dies. */
function create(file: string, holder: Holder): boolean {
  const written = pathBeside(file, 'tmp')
  try {
    writeFileSync(written, JSON.stringify(holder), { flag: 'wx' })
    linkSync(written, file)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    if (!hasCode(error, ...NO_LINKS)) throw error
    return createUnlinked(file, holder)
  } finally {
    rmSync(written, { force: true })
  }
}

/** On a file system without links: the file is empty for a moment. */
function createUnlinked(file: string, holder: Holder): boolean {
  let descriptor: number
  try {
    descriptor = openSync(file, 'wx')
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
  try {
    writeSync(descriptor, JSON.stringify(holder))
  } finally {
    closeSync(descriptor)
  }
  return true
}

function readHolder(file: string): Holder | 'gone' | 'unreadable' {
  try {
    const text = readFileSync(file, 'utf8')
    const holder = parse(text)
    if (holder !== undefined) return holder
    const isOld = Date.now() - statSync(file).mtimeMs > WRITING_MS
    return isOld ? { pid: 0, began: '', since: '' } : 'unreadable'
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'gone'
    throw error
  }
}

function parse(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null
    return Number.isInteger(value?.pid)
      ? { pid: value!.pid!, began: `${value!.began}`, since: `${value!.since}` }
      : undefined
  } catch {
    return undefined
  }
}

/** Moves a dead process's lock aside first: another process may have taken it over in between, and then gets it back. */
function takeAway(file: string, dead: Holder): void {
  const aside = pathBeside(file, 'drop') // swept with what else a crash leaves
  try {
    renameSync(file, aside)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  const moved = readHolder(aside)
  if (typeof moved === 'object' && !same(moved, dead)) renameSync(aside, file)
  else rmSync(aside, { force: true })
}

function isAlive({ pid, began }: Holder): boolean {
  if (pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
  }
  return beginningOf(pid) === began
}

/** The time at which a process began, in ticks since the system did, field 22 of /proc/PID/stat; where there is no /proc, always the same. */
function beginningOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function same(a: Holder | string, b: Holder): boolean {
  return typeof a === 'object' && a.pid === b.pid && a.began === b.began && a.since === b.since
}

function takenError(holder: Holder | 'unreadable', target: string, option: string): UsageError {
  const by = typeof holder === 'object' ? ` (process ${holder.pid}, since ${holder.since})` : ''
  return new UsageError(
    `${option}: expected a place that nobody else writes to, got ${target}, which another run is writing${by}. Wait for it, or choose another one`,
  )
}
