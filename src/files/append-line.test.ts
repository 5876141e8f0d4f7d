import { existsSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { describeError } from '../errors.ts'
import { appendLine } from './append-line.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-append-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** A disk with room for `room` bytes more. */
function full(room: number): typeof writeSync {
  return ((descriptor: number, bytes: Buffer, from: number) => {
    if (from >= room) throw Object.assign(new Error('no space left'), { code: 'ENOSPC', syscall: 'write' })
    return writeSync(descriptor, bytes, from, Math.min(bytes.length, room) - from)
  }) as typeof writeSync
}

it('adds a line, and on a full disk nothing', () => {
  const file = join(directory, 'a.jsonl')
  appendLine(file, 'é1')
  appendLine(file, '2')
  const failed = (room: number, path: string): string => {
    try {
      appendLine(path, 'a longer line', full(room))
    } catch (error) {
      return describeError(error)
    }
    return ''
  }
  expect(failed(5, file)).toContain(file)
  expect(failed(0, file)).toContain('full disk')
  expect(readFileSync(file, 'utf8')).toBe('é1\n2\n')
  const other = join(directory, 'b.jsonl')
  expect(failed(5, other)).toContain(other)
  expect(existsSync(other)).toBe(false)
})
