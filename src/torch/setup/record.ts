// The note that `anneal setup` leaves for the engine: which add-on to load. Read at every start, so it imports little.
// With ANNEAL_LIBTORCH set there is one note for that directory, beside the default one.

import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { hasCode } from '../../errors.ts'
import { cpuFingerprint } from './cpu.ts'
import { cacheDirectory, packageRoot } from './directories.ts'

export interface EngineRecord {
  /** Absolute path of the add-on. */
  addon: string
  /** Directory and version of the LibTorch that it was built against. */
  libtorch: string
  version: string
  /** Which step of the search found that LibTorch. */
  how: string
  cuda: boolean
  builtAt: string
  /** Hash of everything that went into the build. */
  key: string
  /** `cpuFingerprint()` of the machine that built it. */
  cpu: string
}

/** Where the record of the default engine is, or of the one for `libtorchDir`. */
export function engineRecordPath(libtorchDir: string | undefined = process.env.ANNEAL_LIBTORCH): string {
  return join(packageRoot, 'build', recordName(libtorchDir))
}

/** Where the record is instead for a user who cannot write into the package. */
export function cachedRecordPath(libtorchDir: string | undefined = process.env.ANNEAL_LIBTORCH): string {
  return join(cacheDirectory(), recordName(libtorchDir).replace('engine', `engine-${shortHash(packageRoot)}`))
}

/** The record for this environment; `undefined` if there is none, or its add-on is unreadable or for another processor. */
export function readEngineRecord(): EngineRecord | undefined {
  return [engineRecordPath(), cachedRecordPath()].map(readRecord).find(isUsable)
}

/** Writes the record into the package, or into the user's cache where the package is not theirs. Returns the path. */
export function writeEngineRecord(record: EngineRecord): string {
  try {
    return writeRecord(engineRecordPath(), record)
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error
    return writeRecord(cachedRecordPath(), record)
  }
}

function recordName(libtorchDir: string | undefined): string {
  return libtorchDir ? `engine-${shortHash(realPath(libtorchDir))}.json` : 'engine.json'
}

function readRecord(path: string): EngineRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as EngineRecord
  } catch {
    return undefined // none, or a damaged one: `anneal setup` writes it again
  }
}

function isUsable(record: EngineRecord | undefined): boolean {
  if (typeof record?.addon !== 'string' || record.cpu !== cpuFingerprint()) return false
  try {
    accessSync(record.addon, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function writeRecord(path: string, record: EngineRecord): string {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(record, undefined, 2)}\n`)
  renameSync(temporary, path)
  return path
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
