// Compiles native/*.cc and links the add-on, once per content: every object file and every add-on is stored under a
// hash of all that went into it, and gets its name by a rename when it is complete. So a build that was interrupted
// goes on where it stopped, a change to one file compiles that file, and builds at the same time do no harm.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { EngineMissingError } from '../../errors.ts'
import { type BuildFlags, buildFlags, type Compiler, nodeHeaders } from './compiler.ts'
import { cpuFingerprint } from './cpu.ts'
import { availableProcessors } from './cpu-quota.ts'
import { cacheDirectory, packageRoot } from './directories.ts'
import { type Libtorch, libraryFile } from './libtorch.ts'
import { runProgram } from './program.ts'

export interface BuildOptions {
  libtorch: Libtorch
  compiler: Compiler
  note(line: string): void
  /** Folder with *.cc and *.h. Default: native/ of the package. */
  sourceDir?: string
  /** Default: `native` in the cache. */
  buildDir?: string
}

export interface BuiltAddon {
  /** Absolute path of anneal.node. */
  addon: string
  /** Hash of sources, LibTorch, compiler, flags and processor. */
  key: string
}

interface Source {
  path: string
  /** Hash of this file, the headers that it includes, also through others, and everything that the build has in common. */
  key: string
}

// LibTorch's headers take a compiler this much; two at once on a machine with 2 GB would end in the OOM killer.
const BYTES_PER_COMPILER = 1_500_000_000
const SHOWN_ERROR_LINES = 5

/** Builds the add-on, or finds it built. A failed compile is an `EngineMissingError` that names the log. */
export async function buildAddon(options: BuildOptions): Promise<BuiltAddon> {
  const { libtorch, compiler, note, sourceDir = join(packageRoot, 'native') } = options
  const buildDir = options.buildDir ?? join(cacheDirectory(), 'native')
  const flags = buildFlags(libtorch, compiler)
  const sources = readSources(sourceDir, environmentKey(libtorch, compiler, flags))
  const key = hash(sources.map((source) => source.key))
  const addon = join(buildDir, key, 'anneal.node')
  if (existsSync(addon)) return { addon, key }

  const objectDir = join(buildDir, 'objects')
  mkdirSync(objectDir, { recursive: true })
  // The largest first, so that no lane is left alone with it at the end.
  const missing = sources
    .filter((source) => !existsSync(objectOf(objectDir, source)))
    .sort((a, b) => statSync(b.path).size - statSync(a.path).size)
  const lanes = Math.min(missing.length, compilersAtOnce())
  if (lanes > 0) {
    const pace = lanes > 1 ? `, ${lanes} at a time` : ''
    note(`compiling ${missing.length} of ${sources.length} files with ${compiler.version}${pace}`)
  }
  const started = performance.now()
  await inLanes(lanes, missing, async (source) => {
    const begin = performance.now()
    await produce(objectOf(objectDir, source), options, [...flags.compile, `-I${nodeHeaders()}`, '-c', source.path])
    note(`  ${basename(source.path)} ${seconds(begin)}`)
  })
  mkdirSync(dirname(addon), { recursive: true })
  await produce(addon, options, [...sources.map((source) => objectOf(objectDir, source)), ...flags.link])
  note(`built the add-on in ${seconds(started)}`)
  return { addon, key }
}

/** Runs the compiler so that `target` appears complete or not at all. */
async function produce(target: string, { compiler, note }: BuildOptions, values: readonly string[]): Promise<void> {
  const temporary = `${target}.${process.pid}-${Math.random().toString(36).slice(2, 8)}`
  const [program, ...first] = compiler.command
  const words = [...first, ...values, '-o', temporary]
  const result = await runProgram(program, words)
  if (result.isOk && existsSync(temporary)) return renameSync(temporary, target)

  rmSync(temporary, { force: true })
  const log = `${target}.log`
  writeFileSync(log, `${[program, ...words].join(' ')}\n${result.stdout}${result.stderr}\n${result.ending}\n`)
  const complaints = result.stderr.split('\n').filter((line) => /error|undefined|cannot|Killed/i.test(line))
  for (const line of complaints.slice(0, SHOWN_ERROR_LINES)) note(`  ${line.trim()}`)
  const what = values.includes('-c') ? `compiling ${basename(values.at(-1)!)}` : 'linking the add-on'
  const reason = complaints[0]?.trim() ?? result.ending
  throw new EngineMissingError(`${what}: expected it to succeed, got ${reason}. The full log is ${log}`)
}

/** All that every object has in common. */
function environmentKey(libtorch: Libtorch, compiler: Compiler, flags: BuildFlags): string {
  // The size tells apart two builds of one version that were put into the same place one after the other.
  const { size } = statSync(join(libtorch.libDir, libraryFile('torch_cpu')))
  const command = compiler.command.join(' ')
  return hash([
    libtorch.dir,
    libtorch.version,
    `${size}`,
    command,
    compiler.version,
    ...flags.compile,
    ...flags.link,
    cpuFingerprint(),
  ])
}

function readSources(dir: string, environment: string): Source[] {
  const names = readdirSync(dir).sort()
  const contents = new Map(
    names.filter((name) => /\.(h|cc)$/.test(name)).map((name) => [name, readFileSync(join(dir, name), 'utf8')]),
  )
  const reached = (name: string, found = new Set<string>()): Set<string> => {
    if (!contents.has(name) || found.has(name)) return found
    found.add(name)
    for (const [, header = ''] of contents.get(name)!.matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) reached(header, found)
    return found
  }
  return names
    .filter((name) => name.endsWith('.cc'))
    .map((name) => {
      const files = [...reached(name)].sort().map((file) => [file, contents.get(file)!])
      return { path: join(dir, name), key: hash([environment, name, ...files.flat()]) }
    })
}

function objectOf(objectDir: string, { path, key }: Source): string {
  return join(objectDir, `${basename(path, '.cc')}-${key}.o`)
}

function compilersAtOnce(): number {
  return Math.max(1, Math.min(availableProcessors(), Math.floor(process.availableMemory() / BYTES_PER_COMPILER)))
}

/** Works through `items` with `lanes` at a time; the first error ends it when what runs is done. */
async function inLanes<Item>(
  lanes: number,
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await work(item)
      } catch (error) {
        queue.length = 0
        throw error
      }
    }
  }
  const results = await Promise.allSettled(Array.from({ length: lanes }, lane))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function hash(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}
