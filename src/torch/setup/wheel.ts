// Fetches the pinned LibTorch: the CPU wheel of PyTorch, with pip as the downloader and Python's zipfile to unpack it.
// A wheel is a zip; of its 12,000 files we keep the libraries and headers. Nothing is installed into that Python.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { hasCode } from '../../errors.ts'
import { freeBytes } from './directories.ts'
import { lastComplaint, type ProgramResult, runProgram } from './program.ts'

/** The version that Anneal is developed on. */
export const PINNED_VERSION = '2.13.0'

// On Linux the wheel in PyPI is a CUDA build, of no use without 3 GB of NVIDIA's packages; PyTorch's own index has the
// CPU build as `2.13.0+cpu`, which pip takes for the newer version and therefore prefers wherever it can see both.
const CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
// The libraries do not depend on Python's version, so a wheel for another one is as good as for the one that asks.
const OTHER_PYTHONS = ['3.12', '3.11', '3.13']
const NEEDED_BYTES = 1_000_000_000
const STALE_MILLISECONDS = 3_600_000

const UNPACK = `
import sys, zipfile
wheel, target = sys.argv[1:]
kept = ('torch/lib/', 'torch/include/', 'torch/.dylibs/', 'torch.libs/')
with zipfile.ZipFile(wheel) as archive:
    names = [name for name in archive.namelist() if name.startswith(kept) and 'torch_python' not in name]
    if any(name.startswith('torch/lib/libtorch_cuda') for name in names):
        sys.exit('pip found only the CUDA build, which needs NVIDIA\\'s packages beside it: \`pip install torch\` brings them')
    archive.extractall(target, names)
`

export interface WheelOptions {
  environment: NodeJS.ProcessEnv
  note(line: string): void
}

/** Puts the pinned LibTorch into `target` (`<cache>/libtorch/<version>`). Returns why not, if it cannot. */
export async function fetchWheel(target: string, { environment, note }: WheelOptions): Promise<string | undefined> {
  const parent = dirname(target)
  const free = freeBytes(parent)
  if (free < NEEDED_BYTES) return `expected 1 GB free in ${parent}, got ${Math.round(free / 1e6)} MB. Set ANNEAL_CACHE`
  const pip = await runProgram('python3', ['-m', 'pip', '--version'], { environment, timeoutSeconds: 60 })
  if (!pip.isFound) return 'python3 is not in PATH'
  if (!pip.isOk) return 'python3 has no pip (Debian: `apt-get install python3-pip`)'

  mkdirSync(parent, { recursive: true })
  removeStale(parent)
  const work = mkdtempSync(join(parent, '.fetching-'))
  try {
    note(`downloading torch ${PINNED_VERSION} for CPU with pip (about 200 MB)`)
    let download = await downloadWheel(work, [], environment)
    for (const python of OTHER_PYTHONS) {
      if (download.isOk || !/No matching distribution/.test(download.stderr)) break
      download = await downloadWheel(work, ['--python-version', python], environment)
    }
    if (!download.isOk) return `pip download: ${lastComplaint(download).replace(/^ERROR: /, '')}`
    const wheel = readdirSync(work).find((name) => name.endsWith('.whl'))
    if (wheel === undefined) return 'pip download left no wheel'

    note('unpacking its libraries and headers')
    const unpacked = join(work, 'unpacked')
    const unpack = await runProgram('python3', ['-c', UNPACK, join(work, wheel), unpacked], { environment })
    if (!unpack.isOk) return `unpacking ${wheel}: ${lastComplaint(unpack)}`
    moveInto(unpacked, target)
    return undefined
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function downloadWheel(into: string, more: string[], environment: NodeJS.ProcessEnv): Promise<ProgramResult> {
  const isTerminal = process.stderr.isTTY === true
  const quiet = [
    '--no-cache-dir',
    '--disable-pip-version-check',
    '--no-input',
    '--progress-bar',
    isTerminal ? 'on' : 'off',
  ]
  const patience = ['--timeout', '15', '--retries', '0']
  const wish = ['--no-deps', '--only-binary', ':all:', '--extra-index-url', CPU_INDEX, `torch==${PINNED_VERSION}`]
  const words = ['-m', 'pip', 'download', ...quiet, ...patience, ...more, '--dest', into, ...wish]
  return runProgram('python3', words, { environment, isShown: isTerminal })
}

/** Renames, so that `target` is complete or absent; whoever was first wins, with the same content. */
function moveInto(unpacked: string, target: string): void {
  try {
    renameSync(unpacked, target)
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
    if (existsSync(join(target, 'torch', 'lib'))) return
    rmSync(target, { recursive: true }) // something else than ours is in the way
    renameSync(unpacked, target)
  }
}

/** Removes what a killed run left behind; a younger one may be another process at work. */
function removeStale(parent: string): void {
  for (const name of readdirSync(parent)) {
    const path = join(parent, name)
    if (!name.startsWith('.fetching-') || Date.now() - statSync(path).mtimeMs < STALE_MILLISECONDS) continue
    rmSync(path, { recursive: true, force: true })
  }
}
