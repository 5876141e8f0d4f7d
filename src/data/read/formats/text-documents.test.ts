import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../limits.ts'
import { readTextDocuments } from './text-documents.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-text-'))
afterAll(() => rmSync(directory, { recursive: true }))

async function read(content: string, maxDocumentBytes: number) {
  const file = join(directory, 'text.txt')
  writeFileSync(file, content)
  const context = {
    file,
    limits: { ...DEFAULT_LIMITS, maxDocumentBytes },
    bad: () => {},
    good: () => {},
    notice: () => {},
  }
  const documents: { text: string; offset: number; line: number }[] = []
  for await (const { row, offset, line } of readTextDocuments(context)) {
    documents.push({ text: (row as { text: string }).text, offset, line })
  }
  return documents
}

describe('readTextDocuments', () => {
  it('gives a file as one document, with or without a last line end', async () => {
    expect(await read('one\n\ntwo\n', 1000)).toEqual([{ text: 'one\n\ntwo\n', offset: 0, line: 1 }])
    expect(await read('\uFEFFone\r\ntwo', 1000)).toEqual([{ text: 'one\ntwo', offset: 3, line: 1 }])
    expect(await read(' \n\n', 1000)).toEqual([])
  })

  it('cuts a large file at the last blank line that fits, else at a line end, else after a space', async () => {
    expect((await read('aaa\naaa\n\nbbb\nbbb\n\nccc\n', 20)).map(({ text }) => text)).toEqual([
      'aaa\naaa\n\nbbb\nbbb\n\n',
      'ccc\n',
    ])
    expect(await read('aaa\n\nbbb\nbbb\nbbb\nbbb\n', 14)).toEqual([
      { text: 'aaa\n\n', offset: 0, line: 1 },
      { text: 'bbb\nbbb\nbbb\n', offset: 5, line: 3 },
      { text: 'bbb\n', offset: 17, line: 6 },
    ])
    expect((await read('aaa bbb ccc ddd eee', 10)).map(({ text }) => text)).toEqual(['aaa bbb ', 'ccc ddd ', 'eee'])
  })

  it('loses nothing, whatever the limit, and keeps to it', async () => {
    const content = fc.array(fc.constantFrom('a', 'bcd', 'æ', ' ', '\n', '\n\n')).map((parts) => `x${parts.join('')}x`)
    await fc.assert(
      fc.asyncProperty(content, fc.integer({ min: 8, max: 60 }), async (text, limit) => {
        const documents = await read(text, limit)
        // White space alone makes no document, so compare what is left without it.
        expect(
          documents
            .map((document) => document.text)
            .join('')
            .replace(/\s/g, ''),
        ).toBe(text.replace(/\s/g, ''))
        for (const document of documents) expect(Buffer.byteLength(document.text)).toBeLessThanOrEqual(limit + 1)
      }),
    )
  })
})
