// Where the package lives and where downloads and builds are kept. Looks only; creates nothing.

import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The directory with package.json and native/; the same from src/ and from dist/. */
export const packageRoot: string = resolve(fileURLToPath(new URL('../../..', import.meta.url)))

/**
 * The directory for LibTorch and built add-ons: `ANNEAL_CACHE`, else `anneal` under `XDG_CACHE_HOME` or `~/.cache`,
 * else `build/cache` of the package where the user has no home to write to, as service accounts.
 */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.ANNEAL_CACHE) return resolve(environment.ANNEAL_CACHE)
  // The XDG specification says that a relative path here is to be ignored.
  const xdg = environment.XDG_CACHE_HOME
  if (xdg && isAbsolute(xdg)) return join(xdg, 'anneal')
  const home = environment.HOME || homeOfUser()
  const own = home ? join(home, '.cache', 'anneal') : undefined
  return own !== undefined && isWritable(own) ? own : join(packageRoot, 'build', 'cache')
}

/** True when a folder `path` can be written into, or created because its nearest existing parent can be. */
function isWritable(path: string): boolean {
  try {
    const existing = nearestExisting(path)
    accessSync(existing, constants.W_OK)
    return statSync(existing).isDirectory()
  } catch {
    return false
  }
}

/** Bytes that this user may still write where `path` is or would be created. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(nearestExisting(path))
  return bavail * bsize
}

/** `path` itself or the closest of its parents that exists. */
function nearestExisting(path: string): string {
  let candidate = resolve(path)
  while (!existsSync(candidate) && dirname(candidate) !== candidate) candidate = dirname(candidate)
  return candidate
}

function homeOfUser(): string | undefined {
  try {
    return userInfo().homedir
  } catch {
    return undefined // a user id without an entry in the system's list, as in some containers
  }
}
