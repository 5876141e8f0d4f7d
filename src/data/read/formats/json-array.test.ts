import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../limits.ts'
import { ArraySplitter, readJsonArray } from './json-array.ts'
import type { BadStretch, FileRow } from './read-context.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-array-'))
afterAll(() => rmSync(directory, { recursive: true }))

async function read(content: string, maxLineBytes = 1000) {
  const file = join(directory, 'rows.json')
  writeFileSync(file, content)
  const rows: FileRow[] = []
  const bad: BadStretch[] = []
  const limits = { ...DEFAULT_LIMITS, maxLineBytes }
  const context = { file, limits, bad: (stretch: BadStretch) => bad.push(stretch), good: () => {}, notice: () => {} }
  let error: unknown
  try {
    for await (const row of readJsonArray(context)) rows.push(row)
  } catch (thrown) {
    error = thrown
  }
  return { rows, bad, error }
}

describe('readJsonArray', () => {
  it('gives the elements whatever their spacing and the chunks', () => {
    const rows = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }), { maxLength: 5 })
    fc.assert(
      fc.property(
        rows,
        fc.constantFrom(undefined, 1, '\t'),
        fc.integer({ min: 1, max: 40 }),
        (value, indent, chunkBytes) => {
          const bytes = Buffer.from(`  ${JSON.stringify(value, null, indent)}\n`)
          const splitter = new ArraySplitter(1e6)
          const elements = []
          for (let i = 0; i < bytes.length; i += chunkBytes)
            elements.push(...splitter.push(bytes.subarray(i, i + chunkBytes)))
          expect(splitter.isComplete).toBe(true)
          expect(elements.map((element) => JSON.parse(element.bytes.toString()))).toEqual(JSON.parse(bytes.toString()))
          for (const { offset, length, bytes: found, line } of elements) {
            expect(bytes.subarray(offset, offset + length)).toEqual(found)
            expect(bytes.subarray(0, offset).toString().split('\n').length).toBe(line)
          }
        },
      ),
    )
  })

  it('reports a bad element and goes on with the next', async () => {
    const { rows, bad, error } = await read('[{"a": 1}, {"b": }, 7, {"c": 3},\n{"d": "]"}]')
    expect(rows.map(({ row }) => row)).toEqual([{ a: 1 }, { c: 3 }, { d: ']' }])
    expect(bad.map(({ reason, offset }) => [reason, offset])).toEqual([
      ['bad-json', 11],
      ['not-a-row', 20],
    ])
    expect(error).toBeUndefined()
  })

  it('skips an element that is too long without holding it', async () => {
    const { rows, bad } = await read(`[{"a": 1}, "${'x'.repeat(2_000_000)}", {"b": 2}]`)
    expect(rows.map(({ row }) => row)).toEqual([{ a: 1 }, { b: 2 }])
    expect(bad).toMatchObject([{ reason: 'line-too-long', length: 2_000_002, offset: 11 }])
    expect(bad[0]!.bytes!.length).toBeLessThan(300)
  })

  it('gives what comes before a missing bracket, then refuses the file', async () => {
    for (const content of [
      '[{"a": 1}, {"b": 2',
      '[{"a": 1}, {"b": 2}',
      '[{"a": 1}, {"b": [2}, {"c": 3}]',
      '[{"a": 1}, "b]',
    ]) {
      const { rows, error } = await read(content)
      expect(rows[0]!.row).toEqual({ a: 1 })
      expect(String(error)).toMatch(/JSON array in .*: expected its closing \]/)
    }
  })
})
