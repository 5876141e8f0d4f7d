// Names of things that are not finished, and what becomes of them when the process that made them is gone.
//   .<name>.tmp-<pid>-<random>   being written         → removed
//   .<name>.old-<pid>-<random>   being replaced        → put back if <name> is missing, else removed
//   .<name>.drop-<pid>-<random>  being removed         → removed
// They lie beside <name>, because rename(2) does not cross file systems, and no reader looks at them.

import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { hasCode } from '../errors.ts'

type Role = 'tmp' | 'old' | 'drop'
const PATTERN = /^\.(.+)\.(tmp|old|drop)-(\d+)-[0-9a-f]{12}$/

/** A name beside `target` for its unfinished, replaced or dropped form; new at each call. */
export function pathBeside(target: string, role: Role): string {
  return join(dirname(target), `.${basename(target)}.${role}-${process.pid}-${randomBytes(6).toString('hex')}`)
}

/**
 * Cleans `directory` of what dead processes left half-done, with `only` of this name, and returns the paths that it removed or put back. `own`
 * also takes what this process has not finished, where whoever wrote it is gone: a thread that was ended.
 */
export function sweepLeftovers(
  directory: string,
  { own = false, only }: { own?: boolean; only?: string } = {},
): string[] {
  const swept: string[] = []
  for (const name of existsSync(directory) ? readdirSync(directory) : []) {
    const [, original, role, pid] = PATTERN.exec(name) ?? []
    const path = join(directory, name)
    if (original === undefined || (only !== undefined && original !== only)) continue
    if (!(own && Number(pid) === process.pid) && isInUse(path, Number(pid))) continue
    const target = join(directory, original)
    try {
      if (role === 'old' && !existsSync(target)) renameSync(path, target)
      else rmSync(path, { recursive: true, force: true })
      swept.push(path)
    } catch (error) {
      // A directory that may only be read is no reason not to read it; another process may sweep at the same time.
      if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT')) throw error
    }
  }
  return swept
}

function isInUse(path: string, pid: number): boolean {
  if (pid === process.pid) {
    // In containers the next process often gets the same id: what is older than this process is not its own.
    const startedAt = Date.now() - process.uptime() * 1000
    return (lstatSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0) >= startedAt
  }
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !hasCode(error, 'ESRCH')
  }
}
