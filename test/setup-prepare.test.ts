import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { prepareEngine } from '../src/torch/setup/prepare.ts'
import { engineRecordPath, readEngineRecord } from '../src/torch/setup/record.ts'
import { temporaryDirectory, writeFakeLibtorch, writeProgram } from './setup-fakes.ts'

const realAddon = readEngineRecord()?.addon

let root: string

/** Makes `CXX` a program that writes a copy of `product` wherever something is to be built. */
function stubCompiler(product: string): void {
  const script = `case "$*" in *--version*) echo 'fake 1.0'; exit 0;; *' -E '*) exit 0;; esac
echo built >> '${root}/calls'
for word in "$@"; do last=$word; done
cp '${product}' "$last"`
  vi.stubEnv('CXX', writeProgram(join(root, 'bin'), 'cxx', script))
}

beforeEach(() => {
  root = temporaryDirectory()
  writeFakeLibtorch(join(root, 'torch'))
  vi.stubEnv('ANNEAL_LIBTORCH', join(root, 'torch'))
  vi.stubEnv('ANNEAL_CACHE', join(root, 'cache'))
})

afterEach(() => {
  rmSync(engineRecordPath(), { force: true })
  vi.unstubAllEnvs()
})

describe('prepareEngine', () => {
  it.skipIf(realAddon === undefined)('builds, tries and records once, and only looks the second time', async () => {
    stubCompiler(realAddon!)
    const notes: string[] = []
    const first = await prepareEngine((line) => void notes.push(line))
    expect(first.isNew).toBe(true)
    expect(first.record).toMatchObject({ libtorch: join(root, 'torch'), version: '2.13.0', how: 'environment' })
    expect(existsSync(first.record.addon)).toBe(true)
    expect(readEngineRecord()).toEqual(first.record)

    rmSync(join(root, 'calls'))
    expect(await prepareEngine(() => {})).toEqual({ record: first.record, isNew: false })
    expect(existsSync(join(root, 'calls'))).toBe(false)
  })

  it('records nothing when the add-on does not load', async () => {
    stubCompiler('/dev/null')
    await expect(prepareEngine(() => {})).rejects.toThrow(
      /^the add-on for LibTorch 2\.13\.0 in .*: expected it to load, got .*anneal\.node/,
    )
    expect(readEngineRecord()).toBeUndefined()
  })

  it('asks for a compiler before anything else', async () => {
    vi.stubEnv('CXX', 'no-such-compiler')
    vi.stubEnv('ANNEAL_LIBTORCH', '/nowhere')
    await expect(prepareEngine(() => {})).rejects.toThrow('C++ compiler: expected')
  })

  it('names every place that had none', async () => {
    stubCompiler('/dev/null')
    vi.stubEnv('ANNEAL_LIBTORCH', '/nowhere')
    await expect(prepareEngine(() => {})).rejects.toThrow(
      /^LibTorch: expected it at one of the known places, got none \(ANNEAL_LIBTORCH: \/nowhere does not exist\)/,
    )
  })
})
