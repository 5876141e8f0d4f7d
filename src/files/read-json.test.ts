import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { InputError } from '../errors.ts'
import { parseJson, readJsonFile } from './read-json.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-json-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
})
const file = (): string => join(directory, 'config.json')

describe('readJsonFile', () => {
  it('reads JSON, with a byte order mark too', () => {
    writeFileSync(file(), '\ufeff{"a": [1, "}"]}')
    expect(readJsonFile(file())).toEqual({ a: [1, '}'] })
  })

  it.each<[string, () => void, RegExp]>([
    ['nothing', () => {}, /config\.json: expected a file, got nothing/],
    ['a directory', () => mkdirSync(file()), /expected a plain file, got a directory/],
    ['a named pipe', () => execFileSync('mkfifo', [file()]), /expected a plain file, got a named pipe/],
    ['a link to an endless device', () => symlinkSync('/dev/zero', file()), /expected a plain file, got a device/],
    [
      'a huge file',
      () => {
        writeFileSync(file(), '{')
        truncateSync(file(), 2 ** 33)
      },
      /expected at most 10485760 bytes, got 8589934592/,
    ],
    ['other text', () => writeFileSync(file(), '{"a": tru}'), /expected JSON, got something else: /],
    ['200,000 levels', () => writeFileSync(file(), '['.repeat(200_000)), /at most 64 levels of nesting, got 200000/],
  ])('refuses %s with one line', (_, make, message) => {
    make()
    expect(() => readJsonFile(file())).toThrow(InputError)
    expect(() => readJsonFile(file())).toThrow(message)
  })
})

describe('parseJson', () => {
  it('counts levels outside of strings only', () => {
    const brackets = JSON.stringify(`\\"${'['.repeat(1000)}`)
    expect(parseJson(`{"a": ${brackets}}`, 'x')).toEqual({ a: `\\"${'['.repeat(1000)}` })
    expect(() => parseJson('['.repeat(64) + ']'.repeat(64), 'x')).not.toThrow()
    expect(() => parseJson('['.repeat(65) + ']'.repeat(65), 'x')).toThrow(InputError)
  })
})
