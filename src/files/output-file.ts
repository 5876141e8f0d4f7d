// Where a file is to be written. A rename puts a plain file in place of whatever is there, and with the rights of root that would be the
// system's /dev/null, so everything that is no plain file is refused before it.
import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { hasCode, UsageError } from '../errors.ts'

/** Folders whose entries are the system's. Not what is below /dev: /dev/shm is a place for files. */
const SYSTEM = /^\/(?:dev|dev\/fd|proc(?:\/.*)?|sys(?:\/.*)?)$/

/**
 * A UsageError unless `path` may be written as a file: nothing there, a plain file, or a link to either (the link is replaced).
 * `name` says what it is for, such as `--out`.
 */
export function checkOutputFile(path: string, name: string): void {
  const refuse = (got: string): never => {
    throw new UsageError(`${name}: expected a plain or new file, got ${got} ${path}. Choose another one`)
  }
  if (SYSTEM.test(dirname(resolve(path)))) refuse("the system's")
  for (const stat of [lstatSync, statSync] as const) {
    const found = statOf(path, stat)
    if (found !== undefined && !found.isFile() && !found.isSymbolicLink()) refuse(kindOf(found, 'the'))
  }
}

/** A UsageError where a file that is to be written is one of `inputs` (files or folders), or would stand among their files. */
export function checkNotInput(path: string, name: string, inputs: readonly string[]): void {
  const own = realPathOf(path)
  for (const input of inputs) {
    const found = statOf(input, statSync)
    if (found === undefined) continue
    const other = realPathOf(input)
    if (own !== other && !(found.isDirectory() && own.startsWith(other + sep))) continue
    const what = own === other ? 'which is read' : `which is in ${input}, from which is read`
    throw new UsageError(`${name}: expected a file of its own, got ${path}, ${what}. Choose another one`)
  }
}

/** The path without links, also of a file that is not there yet. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
    const full = resolve(path)
    return dirname(full) === full ? full : join(realPathOf(dirname(full)), basename(full))
  }
}

/** A UsageError unless `path` is a folder, a link to one, or nothing. */
export function checkOutputFolder(path: string, name: string): void {
  const found = statOf(path, statSync) ?? statOf(path, lstatSync)
  if (found === undefined || found.isDirectory()) return
  const got = found.isSymbolicLink() ? 'the dangling link' : kindOf(found, 'the')
  throw new UsageError(`${name}: expected a folder, got ${got} ${path}. Choose another one`)
}

/** What a status is of, in words. */
export function kindOf(status: Stats, article: 'a' | 'the' = 'a'): string {
  if (status.isFile()) return `${article} file`
  if (status.isDirectory()) return `${article} directory`
  if (status.isFIFO()) return `${article} named pipe`
  return status.isSocket() ? `${article} socket` : `${article} device`
}

function statOf(path: string, stat: typeof statSync): Stats | undefined {
  try {
    return stat(path, { throwIfNoEntry: false })
  } catch (error) {
    if (hasCode(error, 'ELOOP', 'ENOTDIR')) return undefined // a link to itself, or a file on the way: nothing that could be lost
    throw error
  }
}
