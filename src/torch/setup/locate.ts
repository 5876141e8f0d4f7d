// Finds a LibTorch: a fixed list of places, the first hit wins, and every miss says why.
// ANNEAL_LIBTORCH → the active Python's torch → our cache → what was used last → the pinned wheel → Debian's package.

import { join, resolve } from 'node:path'
import { findDebianLibtorch } from './debian.ts'
import { cacheDirectory } from './directories.ts'
import { inspectLibtorch, isAtLeast, type Libtorch } from './libtorch.ts'
import { lastComplaint, runProgram } from './program.ts'
import { readEngineRecord } from './record.ts'
import { fetchWheel, PINNED_VERSION } from './wheel.ts'

/** What each place is called in records and messages. */
export const PLACES = {
  environment: 'ANNEAL_LIBTORCH',
  python: "the active Python's torch",
  cache: 'the cache',
  debian: "Debian's libtorch-dev",
  wheel: 'the CPU wheel, by pip',
} as const

export type Place = keyof typeof PLACES

/** A LibTorch at a place, or why there is none. */
export type Finding = { place: Place; libtorch: Libtorch } | { place: Place; reason: string }

export interface LocateOptions {
  /** False to look only, as `anneal doctor` does; true to download and install where needed. */
  mayFetch: boolean
  /** Takes a line about what is going on. */
  note(line: string): void
  environment?: NodeJS.ProcessEnv
}

// PyTorch 2.4 is the first whose C++ headers and dispatcher are like today's; Debian's 1.13 is a port of its own.
const OLDEST_PYTHON_TORCH = [2, 4] as const

/** Goes through the places in order and yields what it finds at each; stop at the first that serves. */
export async function* findLibtorch(options: LocateOptions): AsyncGenerator<Finding> {
  const { mayFetch, note, environment = process.env } = options
  const wish = environment.ANNEAL_LIBTORCH
  if (wish) {
    // An explicit wish is not replaced by something else.
    yield finding('environment', inspectLibtorch(resolve(wish)))
    return
  }
  yield { place: 'environment', reason: 'not set' }
  yield finding('python', await findInPython(environment))

  const cached = join(cacheDirectory(environment), 'libtorch', PINNED_VERSION)
  yield finding('cache', inspectLibtorch(cached))

  // A system without an index for pip is asked once, not at every start.
  const systems = inspectLibtorch('/usr')
  if (readEngineRecord()?.how === 'debian' && typeof systems !== 'string') yield finding('debian', systems)

  if (mayFetch) {
    const reason = await fetchWheel(cached, { environment, note })
    yield finding('wheel', reason ?? inspectLibtorch(cached))
  } else yield { place: 'wheel', reason: 'not downloaded (`anneal setup` does it)' }

  yield finding('debian', await findDebianLibtorch({ environment, mayInstall: mayFetch, note }))
}

function finding(place: Place, result: Libtorch | string): Finding {
  return typeof result === 'string' ? { place, reason: result } : { place, libtorch: result }
}

// Only asks where the package is: importing it would take seconds. `-c` puts the working directory first in the
// search path, where a folder that happens to be called torch must not be taken for the package.
const ASK_PYTHON = `
import sys, importlib.util
sys.path[:] = [path for path in sys.path if path]
spec = importlib.util.find_spec('torch')
print(spec.submodule_search_locations[0] if spec and spec.origin else '')
`

async function findInPython(environment: NodeJS.ProcessEnv): Promise<Libtorch | string> {
  const answer = await runProgram('python3', ['-c', ASK_PYTHON], { environment, timeoutSeconds: 30 })
  if (!answer.isFound) return 'python3 is not in PATH'
  if (!answer.isOk) return `python3: ${lastComplaint(answer)}`
  const dir = answer.stdout.trim()
  if (dir === '') return 'python3 has no torch'
  const libtorch = inspectLibtorch(dir)
  if (typeof libtorch === 'string') return libtorch
  const [major, minor] = OLDEST_PYTHON_TORCH
  if (isAtLeast(libtorch.version, major, minor)) return libtorch
  return `expected torch ≥ ${major}.${minor} in ${dir}, got ${libtorch.version}`
}
