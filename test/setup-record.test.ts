import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cpuFingerprint } from '../src/torch/setup/cpu.ts'
import { cacheDirectory, packageRoot } from '../src/torch/setup/directories.ts'
import {
  cachedRecordPath,
  type EngineRecord,
  engineRecordPath,
  readEngineRecord,
  writeEngineRecord,
} from '../src/torch/setup/record.ts'
import { temporaryDirectory, writeFiles } from './setup-fakes.ts'

// Every test has a LibTorch directory of its own, so that no record of this checkout is touched.
let libtorch: string
let record: EngineRecord

beforeEach(() => {
  libtorch = temporaryDirectory()
  writeFiles(libtorch, { 'anneal.node': '' })
  vi.stubEnv('ANNEAL_LIBTORCH', libtorch)
  vi.stubEnv('ANNEAL_CACHE', temporaryDirectory())
  record = {
    addon: join(libtorch, 'anneal.node'),
    libtorch,
    version: '2.13.0',
    how: 'environment',
    cuda: false,
    builtAt: '2026-01-01T00:00:00.000Z',
    key: 'abc',
    cpu: cpuFingerprint(),
  }
})

afterEach(() => {
  rmSync(engineRecordPath(libtorch), { force: true })
  vi.unstubAllEnvs()
})

describe('engineRecordPath', () => {
  it('is one file for the default and one for each directory, however that is written', () => {
    expect(engineRecordPath('')).toBe(join(packageRoot, 'build/engine.json'))
    const path = engineRecordPath(libtorch)
    expect(basename(path)).toMatch(/^engine-[0-9a-f]{8}\.json$/)
    expect(engineRecordPath(`${libtorch}/`)).toBe(path)
    const link = join(temporaryDirectory(), 'link')
    symlinkSync(libtorch, link)
    expect(engineRecordPath(link)).toBe(path)
    expect(engineRecordPath(dirname(libtorch))).not.toBe(path)
  })

  it('takes ANNEAL_LIBTORCH when nothing else is given', () => {
    expect(engineRecordPath()).toBe(engineRecordPath(libtorch))
    vi.stubEnv('ANNEAL_LIBTORCH', '')
    expect(engineRecordPath()).toBe(engineRecordPath(''))
  })
})

describe('readEngineRecord', () => {
  it('gives back what was written', () => {
    expect(readEngineRecord()).toBeUndefined()
    expect(writeEngineRecord(record)).toBe(engineRecordPath(libtorch))
    expect(readEngineRecord()).toEqual(record)
  })

  it('is undefined when the add-on is gone, or was built for another processor', () => {
    writeEngineRecord({ ...record, addon: join(libtorch, 'none.node') })
    expect(readEngineRecord()).toBeUndefined()
    writeEngineRecord({ ...record, cpu: 'another' })
    expect(readEngineRecord()).toBeUndefined()
  })

  it('is undefined for a damaged file', () => {
    const path = writeEngineRecord(record)
    for (const text of ['', '{"addon":', 'null', '[]', '{"addon":5}']) {
      writeFileSync(path, text)
      expect(readEngineRecord()).toBeUndefined()
    }
  })

  it("reads the user's own record where the package's is of no use", () => {
    const path = writeEngineRecord({ ...record, cpu: 'another' })
    mkdirSync(dirname(cachedRecordPath()), { recursive: true })
    writeFileSync(cachedRecordPath(), JSON.stringify(record))
    expect(readEngineRecord()).toEqual(record)
    rmSync(path)
    expect(readEngineRecord()).toEqual(record)
    rmSync(cachedRecordPath())
    expect(readEngineRecord()).toBeUndefined()
  })
})

describe('cacheDirectory', () => {
  it('is ANNEAL_CACHE, else under XDG_CACHE_HOME, else under the home', () => {
    const home = temporaryDirectory()
    expect(cacheDirectory({ ANNEAL_CACHE: '/c', XDG_CACHE_HOME: '/x', HOME: home })).toBe('/c')
    expect(cacheDirectory({ XDG_CACHE_HOME: '/x', HOME: home })).toBe('/x/anneal')
    expect(cacheDirectory({ XDG_CACHE_HOME: 'relative', HOME: home })).toBe(join(home, '.cache/anneal'))
    expect(existsSync(join(home, '.cache'))).toBe(false)
  })

  it('is in the package for a user without a home to write to', () => {
    writeFiles(libtorch, { home: 'not a folder' })
    expect(cacheDirectory({ HOME: join(libtorch, 'home') })).toBe(join(packageRoot, 'build/cache'))
  })
})

describe('packageRoot', () => {
  it('is where package.json and native/ are', () => {
    expect(JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).name).toBe('anneal')
    expect(existsSync(join(packageRoot, 'native'))).toBe(true)
  })
})

describe('cpuFingerprint', () => {
  it('changes with instruction sets and with nothing else', () => {
    const plain = cpuFingerprint('model name : A\nflags\t\t: fpu sse4_2 avx2 fma\n')
    expect(cpuFingerprint('model name : B\nflags\t\t: fma avx2 sse4_2 fpu ibrs_enhanced\n')).toBe(plain)
    expect(cpuFingerprint('flags\t\t: fpu sse4_2 avx2 fma avx512f\n')).not.toBe(plain)
    expect(cpuFingerprint('Features\t: fp asimd sve\n')).not.toBe(cpuFingerprint('Features\t: fp asimd\n'))
  })
})
