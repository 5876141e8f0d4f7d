// The folder that a command writes into: made before the work starts, so that a wrong one is said at once, and taken away again
// when the work fails before anything is in it.
import { existsSync, mkdirSync, mkdtempSync, rmdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { hasCode, UsageError } from '../errors.ts'
import { withDiskFullError } from './atomic-write.ts'
import { lockTarget } from './output-lock.ts'

const UNWRITABLE = ['EACCES', 'EPERM', 'EROFS', 'EEXIST', 'ENOTDIR', 'ENOENT', 'ELOOP', 'ENAMETOOLONG']

/**
 * Makes the folder that `option` names; the function returned takes away what this made, unless something is in it by now.
 * UsageError if it cannot be written.
 */
export function makeOutputDirectory(path: string, option: string): () => void {
  const made: string[] = []
  try {
    // One by one: Node's recursive mkdir never returns where the system says that a parent is missing although it is there (/proc).
    withDiskFullError(path, 0, () => {
      for (const directory of missingDirectories(path)) {
        mkdirSync(directory)
        made.push(directory)
      }
      rmdirSync(mkdtempSync(join(path, '.writable-'))) // rights alone do not tell: root has them everywhere
    })
  } catch (error) {
    if (!hasCode(error, ...UNWRITABLE)) throw error
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`${option}: expected a folder that can be written, got ${path} (${code}). Choose another one`)
  }
  return () => {
    try {
      for (const directory of made.reverse()) rmdirSync(directory)
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error
    }
  }
}

/**
 * Makes the folder and locks it against other writers; the function returned gives it free and takes away what this made, unless
 * something is in it by now. UsageError if it cannot be written or another process writes there.
 */
export function takeOutputDirectory(path: string, option: string): () => void {
  const takeAway = makeOutputDirectory(path, option)
  try {
    const unlock = lockTarget(path, option)
    return () => {
      unlock()
      takeAway()
    }
  } catch (error) {
    takeAway()
    throw error
  }
}

/** `path` and those of its parents that do not exist, the outermost first. */
function missingDirectories(path: string): string[] {
  const missing: string[] = []
  for (let directory = resolve(path); !existsSync(directory); directory = dirname(directory)) missing.unshift(directory)
  return missing
}
