// Finds a C++ compiler and says with which flags it builds the add-on against a LibTorch. g++ on Linux, clang on macOS
// (that path is written after its documentation and has not been run yet).

import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { EngineMissingError } from '../../errors.ts'
import { isAtLeast, type Libtorch, libraryFile } from './libtorch.ts'
import { runProgram } from './program.ts'

export interface Compiler {
  /** The program and arguments that always go with it (`CXX="ccache g++"`). */
  command: readonly [program: string, ...values: string[]]
  /** First line of `--version`. */
  version: string
  /** The flag for this very processor, where the compiler knows one. */
  nativeFlag: string | undefined
}

export interface BuildFlags {
  compile: string[]
  link: string[]
}

/** The compiler of `CXX`, else the first of the usual ones; an `EngineMissingError` if there is none. */
export async function findCompiler(environment: NodeJS.ProcessEnv = process.env): Promise<Compiler> {
  const usual = process.platform === 'darwin' ? ['clang++', 'c++'] : ['g++', 'clang++', 'c++']
  const wishes = environment.CXX?.trim() ? [environment.CXX.trim().split(/\s+/)] : usual.map((name) => [name])
  for (const wish of wishes) {
    const [program, ...values] = wish as [string, ...string[]]
    const answer = await runProgram(program, [...values, '--version'], { environment, timeoutSeconds: 30 })
    if (!answer.isOk) continue
    const version = answer.stdout.split('\n')[0]!.trim()
    return {
      command: [program, ...values],
      version,
      nativeFlag: await findNativeFlag([program, ...values], environment),
    }
  }
  const got = environment.CXX ? `CXX=${environment.CXX}, which does not run` : 'none in PATH'
  const install =
    process.platform === 'darwin' ? '`xcode-select --install`' : '`apt-get install g++` (or what your system calls it)'
  throw new EngineMissingError(
    `C++ compiler: expected ${usual.join(' or ')}, got ${got}. Run ${install}, then \`anneal setup\``,
  )
}

async function findNativeFlag(
  [program, ...values]: readonly [string, ...string[]],
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  // clang on arm64 has only the second.
  for (const flag of ['-march=native', '-mcpu=native']) {
    const attempt = [...values, flag, '-E', '-x', 'c++', '/dev/null']
    const answer = await runProgram(program, attempt, { environment, timeoutSeconds: 30 })
    if (answer.isOk) return flag
  }
  return undefined
}

/** The flags to compile native/*.cc against `libtorch` and to link the add-on. */
export function buildFlags(libtorch: Libtorch, compiler: Compiler): BuildFlags {
  const isMac = process.platform === 'darwin'
  const { libDir } = libtorch
  const openmp = isMac ? macOpenmp(libtorch) : linuxOpenmp(libDir)
  const cudaInclude = libtorch.cuda ? findCudaHeaders(libtorch.dir) : undefined
  const gpuLibraries = ['torch_cuda', 'c10_cuda', 'torch_hip', 'c10_hip'].filter((name) =>
    existsSync(join(libDir, libraryFile(name))),
  )
  const includes = [...libtorch.includeDirs, ...(cudaInclude ? [cudaInclude] : [])]
  return {
    compile: [
      // LibTorch's headers ask for C++20 since 2.10; the older ones do not compile with it everywhere.
      isAtLeast(libtorch.version, 2, 10) ? '-std=c++20' : '-std=c++17',
      '-O3',
      ...(compiler.nativeFlag ? [compiler.nativeFlag] : []),
      // Let loops with sqrt, exp and comparisons become vector code; results stay the same, only errno and traps go.
      '-fno-math-errno',
      '-fno-trapping-math',
      '-fPIC',
      ...openmp.compile,
      `-D_GLIBCXX_USE_CXX11_ABI=${libtorch.abi}`,
      // Without CUDA's headers the device still works; only its memory figures are missing.
      ...(cudaInclude ? ['-DANNEAL_CUDA'] : []),
      ...includes.map((path) => `-I${path}`),
    ],
    link: [
      '-shared',
      // Node's own functions are found when it loads the add-on; registering operators needs every library loaded.
      ...(isMac ? ['-undefined', 'dynamic_lookup'] : ['-Wl,--no-as-needed']),
      `-L${libDir}`,
      '-ltorch_cpu',
      '-ltorch',
      '-lc10',
      ...gpuLibraries.map((name) => `-l${name}`),
      ...openmp.link,
      `-Wl,-rpath,${libDir}`,
    ],
  }
}

/** Two OpenMP runtimes in one process would start twice the threads, so ours is the one that LibTorch brings. */
function linuxOpenmp(libDir: string): BuildFlags {
  for (const dir of [libDir, join(dirname(dirname(libDir)), 'torch.libs')]) {
    const name = existsSync(dir) ? readdirSync(dir).find((file) => /^libgomp[-.].*so/.test(file)) : undefined
    if (name !== undefined) return { compile: ['-fopenmp'], link: [`-L${dir}`, `-l:${name}`, `-Wl,-rpath,${dir}`] }
  }
  return { compile: ['-fopenmp'], link: ['-fopenmp'] }
}

function macOpenmp({ dir, libDir }: Libtorch): BuildFlags {
  const hasOwn = existsSync(join(libDir, 'libomp.dylib')) && existsSync(join(dir, 'include/omp.h'))
  return hasOwn
    ? { compile: ['-Xpreprocessor', '-fopenmp'], link: ['-lomp'] }
    : { compile: ['-fopenmp-simd'], link: [] }
}

/** The folder with cuda_runtime_api.h: a CUDA installation, or NVIDIA's Python packages beside torch. */
function findCudaHeaders(torchDir: string): string | undefined {
  const nvidia = join(dirname(torchDir), 'nvidia')
  const homes = [process.env.CUDA_HOME, process.env.CUDA_PATH, '/usr/local/cuda'].filter((home) => home !== undefined)
  const packages = existsSync(nvidia) ? readdirSync(nvidia).map((name) => join(nvidia, name)) : []
  return [...homes, ...packages]
    .map((home) => join(home, 'include'))
    .find((include) => existsSync(join(include, 'cuda_runtime_api.h')))
}

/** The folder with node_api.h. Not among the flags that make a build's key: Node-API is the same wherever it lies. */
export function nodeHeaders(): string {
  return (createRequire(import.meta.url)('node-api-headers') as { include_dir: string }).include_dir
}
