import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EngineMissingError } from '../src/errors.ts'
import { type BuildOptions, buildAddon } from '../src/torch/setup/build.ts'
import { buildFlags, type Compiler, findCompiler } from '../src/torch/setup/compiler.ts'
import { inspectLibtorch, type Libtorch } from '../src/torch/setup/libtorch.ts'
import {
  type FakeLibtorchOptions,
  temporaryDirectory,
  writeFakeLibtorch,
  writeFiles,
  writeProgram,
} from './setup-fakes.ts'

// A compiler that notes what it is asked for and writes that to the file after -o. A source with `syntax` in it fails.
const FAKE_COMPILER = `
case "$*" in *--version*) echo 'fake 1.0'; exit 0;; *' -E '*) exit 0;; esac
echo "$@" >> "$(dirname "$0")/calls"
for word in "$@"; do last=$word; done
for word in "$@"; do
  case $word in *.cc) if grep -q syntax "$word"; then echo half > "$last"; echo "$word:1: error: expected ;" >&2; exit 1; fi;; esac
done
sleep 0.05
echo "$@" > "$last"`

function fakeLibtorch(options: FakeLibtorchOptions = {}, more: Readonly<Record<string, string>> = {}): Libtorch {
  const root = temporaryDirectory()
  writeFakeLibtorch(root, options)
  writeFiles(root, more)
  return inspectLibtorch(root) as Libtorch
}

interface Bench extends BuildOptions {
  root: string
  /** What was compiled since the last call, and `link` for linking. */
  takeCalls(): string[]
  notes: string[]
}

async function makeBench(libtorch: Libtorch = fakeLibtorch()): Promise<Bench> {
  const root = temporaryDirectory()
  const program = writeProgram(join(root, 'bin'), 'cxx', FAKE_COMPILER)
  writeFiles(join(root, 'native'), {
    'a.cc': '#include "shim.h"\n#include <vector>\na',
    'b.cc': '  # include "own.h"\nbb',
    'own.h': '#include "shim.h"\n#include "own.h"\n',
    'shim.h': 'header',
    'other.h': 'nobody',
    'ops.txt': 'not a source',
  })
  const notes: string[] = []
  let taken = 0
  return {
    root,
    libtorch,
    compiler: await findCompiler({ ...process.env, CXX: program }),
    sourceDir: join(root, 'native'),
    buildDir: join(root, 'built'),
    note: (line) => void notes.push(line),
    notes,
    takeCalls() {
      const log = join(root, 'bin/calls')
      const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []
      const fresh = lines.slice(taken).map((line) => /(\w+\.cc)/.exec(line)?.[1] ?? 'link')
      taken = lines.length
      return fresh.sort()
    },
  }
}

describe('buildAddon', () => {
  it('compiles every .cc once, links, and does nothing the second time', async () => {
    const bench = await makeBench()
    const built = await buildAddon(bench)
    expect(bench.takeCalls()).toEqual(['a.cc', 'b.cc', 'link'])
    expect(existsSync(built.addon)).toBe(true)
    expect(await buildAddon(bench)).toEqual(built)
    expect(bench.takeCalls()).toEqual([])
  })

  it('compiles a changed file alone, and those that include a changed header, also through another', async () => {
    const bench = await makeBench()
    const before = await buildAddon(bench)
    bench.takeCalls()
    writeFiles(bench.sourceDir!, { 'a.cc': '#include "shim.h"\nchanged' })
    const after = await buildAddon(bench)
    expect(bench.takeCalls()).toEqual(['a.cc', 'link'])
    expect(after.key).not.toBe(before.key)
    expect(existsSync(before.addon)).toBe(true)
    writeFiles(bench.sourceDir!, { 'shim.h': 'changed' })
    await buildAddon(bench)
    expect(bench.takeCalls()).toEqual(['a.cc', 'b.cc', 'link'])
    writeFiles(bench.sourceDir!, { 'own.h': 'changed' })
    await buildAddon(bench)
    expect(bench.takeCalls()).toEqual(['b.cc', 'link'])
    writeFiles(bench.sourceDir!, { 'other.h': 'changed' })
    await buildAddon(bench)
    expect(bench.takeCalls()).toEqual([])
  })

  it('has another key for another LibTorch, compiler or set of flags', async () => {
    const bench = await makeBench()
    const { compiler, libtorch } = bench
    const keys = new Set<string>()
    for (const change of [
      {},
      { libtorch: { ...libtorch, version: '2.12.0' } },
      { libtorch: { ...libtorch, dir: '/elsewhere' } },
      { compiler: { ...compiler, version: 'fake 1.1' } },
      { compiler: { ...compiler, nativeFlag: undefined } },
    ]) {
      keys.add((await buildAddon({ ...bench, ...change })).key)
    }
    expect(keys.size).toBe(5)
  })

  it('shows the first error of a failed compile, names the log, and leaves no half-written object', async () => {
    const bench = await makeBench()
    writeFiles(bench.sourceDir!, { 'b.cc': 'syntax' })
    const error = await buildAddon(bench).catch((caught: Error) => caught)
    expect(error).toBeInstanceOf(EngineMissingError)
    const message = (error as Error).message
    expect(message).toMatch(
      /^compiling b\.cc: expected it to succeed, got .*b\.cc:1: error: expected ;\. The full log is /,
    )
    expect(readFileSync(/log is (.*)$/.exec(message)![1]!, 'utf8')).toMatch('error: expected ;')
    const objects = readdirSync(join(bench.buildDir!, 'objects'))
    expect(objects.filter((name) => name.startsWith('b-'))).toHaveLength(1) // the log
    expect(bench.notes.some((line) => line.includes('error: expected ;'))).toBe(true)

    bench.takeCalls()
    writeFiles(bench.sourceDir!, { 'b.cc': 'right' })
    await buildAddon(bench)
    expect(bench.takeCalls()).toContain('b.cc')
  })

  it('may run several times at once', async () => {
    const bench = await makeBench()
    const results = await Promise.all([1, 2, 3].map(() => buildAddon(bench)))
    expect(new Set(results.map(({ addon }) => addon)).size).toBe(1)
    const left = readdirSync(join(bench.buildDir!, 'objects'))
    expect(left.every((name) => name.endsWith('.o'))).toBe(true)
    expect(left).toHaveLength(2)
  })
})

describe('buildFlags', () => {
  const compiler: Compiler = { command: ['g++'], version: 'g++ 12', nativeFlag: '-march=native' }

  it('asks for C++20 from LibTorch 2.10 on', () => {
    expect(buildFlags(fakeLibtorch({ version: '2.13.0' }), compiler).compile).toContain('-std=c++20')
    expect(buildFlags(fakeLibtorch({ version: '2.9.1' }), compiler).compile).toContain('-std=c++17')
    expect(buildFlags(fakeLibtorch({ version: '1.13.1' }), compiler).compile).toContain('-std=c++17')
  })

  it('follows the layout of std::string that LibTorch was built with', () => {
    expect(buildFlags(fakeLibtorch({ abi: 0 }), compiler).compile).toContain('-D_GLIBCXX_USE_CXX11_ABI=0')
    expect(buildFlags(fakeLibtorch({ abi: 1 }), compiler).compile).toContain('-D_GLIBCXX_USE_CXX11_ABI=1')
  })

  it.skipIf(process.platform !== 'linux')(
    "links the OpenMP runtime that comes with LibTorch, else the system's",
    () => {
      const plain = fakeLibtorch({}, { 'lib/libgomp.so.1': '' })
      expect(buildFlags(plain, compiler).link).toContain('-l:libgomp.so.1')
      const hashed = fakeLibtorch({}, { 'lib/libgomp-24e2ab19.so.1.0.0': '' })
      expect(buildFlags(hashed, compiler).link).toContain('-l:libgomp-24e2ab19.so.1.0.0')
      expect(buildFlags(fakeLibtorch(), compiler).link).toContain('-fopenmp')
    },
  )

  it('links the GPU libraries of a CUDA build and of no other', () => {
    expect(buildFlags(fakeLibtorch({ cuda: true }), compiler).link).toEqual(
      expect.arrayContaining(['-ltorch_cuda', '-lc10_cuda']),
    )
    const plain = buildFlags(fakeLibtorch(), compiler)
    expect(plain.link.join(' ')).not.toMatch('cuda')
    expect(plain.compile).not.toContain('-DANNEAL_CUDA')
  })
})

describe('findCompiler', () => {
  it('honours CXX with arguments', async () => {
    const root = temporaryDirectory()
    writeProgram(
      root,
      'wrapper',
      'case "$*" in "inner --version") echo "wrapped 3.0"; exit 0;; "inner -mcpu=native "*) exit 0;; esac; exit 1',
    )
    const compiler = await findCompiler({ ...process.env, CXX: `${join(root, 'wrapper')} inner` })
    expect(compiler).toEqual({
      command: [join(root, 'wrapper'), 'inner'],
      version: 'wrapped 3.0',
      nativeFlag: '-mcpu=native',
    })
  })

  it('says what to install when there is none', async () => {
    const environment = { PATH: temporaryDirectory() }
    await expect(findCompiler(environment)).rejects.toThrow(/^C\+\+ compiler: expected .*, got none in PATH\. Run /)
    await expect(findCompiler({ ...environment, CXX: 'nowhere' })).rejects.toThrow('CXX=nowhere, which does not run')
  })
})
