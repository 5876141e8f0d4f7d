import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { InputError } from '../errors.ts'
import { readInput } from './read-input.ts'

describe('readInput', () => {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-input-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const file = (bytes: Uint8Array): string => {
    const path = join(directory, 'file')
    writeFileSync(path, bytes)
    return path
  }

  /** A named pipe that nobody writes to: opening it to read would wait for ever. */
  const pipe = (): string => {
    const path = join(directory, 'pipe')
    if (!existsSync(path)) execFileSync('mkfifo', [path])
    return path
  }

  it('reads a file as UTF-8', async () => {
    expect(await readInput(file(Buffer.from('é😀\n')))).toBe('é😀\n')
  })

  it('reads standard input for a dash, across chunks that cut a character', async () => {
    const bytes = Buffer.from('a😀')
    expect(await readInput('-', Readable.from([bytes.subarray(0, 3), bytes.subarray(3)]))).toBe('a😀')
  })

  it.each([
    [() => file(Uint8Array.of(0xff, 0xfe, 0x41)), 'expected UTF-8 text'],
    [() => join(directory, 'missing'), 'expected a file, got nothing'],
    [() => directory, 'expected a plain file, got a directory'],
    [() => pipe(), 'expected a plain file, got a named pipe'],
  ])('refuses what is no text file (%#)', async (path, message) => {
    await expect(readInput(path())).rejects.toThrow(InputError)
    await expect(readInput(path())).rejects.toThrow(message)
  })
})
