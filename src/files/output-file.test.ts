import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { writeDirectoryAtomic, writeFileAtomic } from './atomic-write.ts'
import { checkNotInput, checkOutputFile, checkOutputFolder } from './output-file.ts'

let directory: string
const inside = (name: string): string => join(directory, name)
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-output-'))
  execFileSync('mkfifo', [inside('pipe')])
  mkdirSync(inside('folder'))
  writeFileSync(inside('file'), 'x')
  symlinkSync('pipe', inside('to-pipe'))
  symlinkSync('folder', inside('to-folder'))
  symlinkSync('file', inside('to-file'))
  symlinkSync('nothing', inside('dangling'))
  symlinkSync('loop', inside('loop'))
})
afterAll(() => rmSync(directory, { recursive: true }))

describe('checkOutputFile', () => {
  it.each([
    ['pipe', 'the named pipe'],
    ['to-pipe', 'the named pipe'],
    ['folder', 'the directory'],
    ['to-folder', 'the directory'],
  ])('refuses %s', (name, got) => {
    expect(() => checkOutputFile(inside(name), '--out')).toThrow(UsageError)
    expect(() => checkOutputFile(inside(name), '--out')).toThrow(`got ${got} ${inside(name)}. Choose`)
  })

  // The names alone are asked about: nothing is written here.
  it.each(['/dev/null', '/dev/full', '/dev/stdout', '/dev/fd/1', '/dev/fresh', '/proc/self/fd/1', '/proc/x'])(
    'refuses what is the system’s: %s',
    (path) => {
      expect(() => checkOutputFile(path, '--out')).toThrow("got the system's ")
    },
  )

  it.each(['file', 'to-file', 'dangling', 'loop', 'fresh'])('takes %s', (name) => {
    checkOutputFile(inside(name), '--out')
    checkOutputFile('/dev/shm/model.gguf', '--out')
  })
})

describe('checkOutputFolder', () => {
  it('takes a folder, a link to one, or nothing', () => {
    for (const name of ['folder', 'to-folder', 'fresh']) checkOutputFolder(inside(name), '--out')
    for (const [name, got] of [
      ['file', 'the file'],
      ['pipe', 'the named pipe'],
      ['dangling', 'the dangling link'],
      ['loop', 'the dangling link'],
    ] as const)
      expect(() => checkOutputFolder(inside(name), '--out')).toThrow(`got ${got} `)
  })
})

describe('writing', () => {
  it('leaves a pipe a pipe, and nothing beside it', async () => {
    const before = readdirSync(directory)
    expect(() => writeFileAtomic(inside('pipe'), 'x')).toThrow(UsageError)
    await expect(writeDirectoryAtomic(inside('pipe'), () => {})).rejects.toThrow(UsageError)
    await expect(writeDirectoryAtomic(inside('dangling'), () => {})).rejects.toThrow(UsageError)
    expect(lstatSync(inside('pipe')).isFIFO()).toBe(true)
    expect(readdirSync(directory)).toEqual(before)
  })
})

describe('checkNotInput', () => {
  it.each([
    ['file', 'file', 'which is read'],
    ['file', 'to-file', 'which is read'],
    ['to-folder/new', 'folder', 'which is in .*, from which is read'],
    ['folder/deep/new', 'to-folder', 'which is in .*, from which is read'],
  ])('refuses %s where %s is read', (path, input, why) => {
    expect(() => checkNotInput(inside(path), '--out', [inside(input)])).toThrow(UsageError)
    expect(() => checkNotInput(inside(path), '--out', [inside(input)])).toThrow(new RegExp(why))
  })
  it.each([
    ['new', 'file'],
    ['folder-new', 'folder'],
    ['deep/new', 'nothing'],
  ])('takes %s where %s is read', (path, input) => {
    expect(checkNotInput(inside(path), '--out', [inside(input), 'org/name'])).toBeUndefined()
  })
})
