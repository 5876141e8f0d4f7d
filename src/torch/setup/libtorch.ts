// Looks into a directory and says whether it holds a LibTorch that we can build against, and which.
// Knows three layouts: the `torch` folder of a Python wheel, the zip from pytorch.org, and Debian's `libtorch-dev`.

import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A LibTorch found on this machine. */
export interface Libtorch {
  dir: string
  includeDirs: string[]
  /** With libc10 and libtorch_cpu. */
  libDir: string
  version: string
  /** Built for a GPU: device `cuda` may exist. */
  cuda: boolean
  /** What its libraries were compiled with as `_GLIBCXX_USE_CXX11_ABI`. */
  abi: 0 | 1
}

/** The file name of a shared library on this system. */
export function libraryFile(name: string): string {
  return process.platform === 'darwin' ? `lib${name}.dylib` : `lib${name}.so`
}

/** What is in `dir`, or why it cannot be used, as a clause. */
export function inspectLibtorch(dir: string): Libtorch | string {
  if (!existsSync(dir)) return `${dir} does not exist`
  const root = [dir, join(dir, 'torch')].find((candidate) => existsSync(join(candidate, 'include/ATen/ATen.h')))
  if (root === undefined) return `${dir} has no include/ATen/ATen.h`
  const libDir = findLibraries(join(root, 'lib')) ?? findLibraries(join(root, 'lib64'))
  if (libDir === undefined) return `${root} has no ${libraryFile('torch_cpu')} under lib`
  const version = readVersion(join(root, 'include'))
  if (version === undefined) return `${root}/include has no version.h with TORCH_VERSION_MAJOR`
  return {
    dir: realpathSync(root),
    includeDirs: [join(root, 'include'), join(root, 'include/torch/csrc/api/include')]
      // A compiler looks there by itself, and naming it again would change the order of system headers.
      .filter((path) => path !== '/usr/include' && existsSync(path)),
    libDir,
    version,
    cuda: ['torch_cuda', 'torch_hip'].some((name) => existsSync(join(libDir, libraryFile(name)))),
    abi: readAbi(join(libDir, libraryFile('c10'))),
  }
}

/** Whether `version` (`2.13.0`) is `major.minor` or later. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** `lib` itself or a folder in it for one architecture, as Debian's /usr/lib/x86_64-linux-gnu. */
function findLibraries(lib: string): string | undefined {
  const holds = (path: string): boolean =>
    ['c10', 'torch_cpu'].every((name) => existsSync(join(path, libraryFile(name))))
  if (holds(lib)) return lib
  if (!existsSync(lib) || !statSync(lib).isDirectory()) return undefined
  return readdirSync(lib)
    .filter((name) => name.includes('-linux-'))
    .map((name) => join(lib, name))
    .find(holds)
}

function readVersion(include: string): string | undefined {
  // The numbers moved in 2.9; the old file then only points to the new one.
  for (const file of ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h', 'torch/version.h']) {
    const path = join(include, file)
    if (!existsSync(path)) continue
    const text = readFileSync(path, 'utf8')
    const numbers = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`#define TORCH_VERSION_${part}\\s+(\\d+)`).exec(text)?.[1],
    )
    if (numbers.every((number) => number !== undefined)) return numbers.join('.')
  }
  return undefined
}

/** libstdc++ has two layouts of std::string; the name of one constructor in libc10 tells which was used. */
function readAbi(libc10: string): 0 | 1 {
  return readFileSync(libc10).includes('_ZN3c105ErrorC2ENS_14SourceLocationESs') ? 0 : 1
}
