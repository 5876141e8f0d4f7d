import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { fileMark } from './file-mark.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-mark-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function markOf(bytes: Buffer): string {
  const file = join(directory, 'file')
  writeFileSync(file, bytes)
  return fileMark(file)
}

it('tells a byte more, other ends and any other byte of a small file apart', () => {
  const marks = [Buffer.alloc(5000, 7), Buffer.alloc(5001, 7), Buffer.alloc(5000, 7).fill(8, 2500, 2501)].map(markOf)
  expect(new Set(marks).size).toBe(3)
  expect(markOf(Buffer.alloc(5000, 7))).toBe(marks[0])
  expect(markOf(Buffer.alloc(0))).toMatch(/^[0-9a-f]{16}$/)
})

it('tells large files of one size apart by their ends and by what is all over them', () => {
  const large = (change: (bytes: Buffer) => void): string => {
    const bytes = Buffer.alloc(12 << 20, 7)
    change(bytes)
    return markOf(bytes)
  }
  const same = large(() => {})
  expect(large(() => {})).toBe(same)
  const others = [
    (bytes: Buffer) => void bytes.writeUInt8(8, 3),
    (bytes: Buffer) => void bytes.writeUInt8(8, bytes.length - 3),
    (bytes: Buffer) => void bytes.fill(8, 4 << 20, 8 << 20),
  ].map(large)
  expect(new Set([same, ...others]).size).toBe(4)
})
