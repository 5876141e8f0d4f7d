import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import type { Document } from './document.ts'
import { splitDocuments } from './split-documents.ts'

async function all(documents: AsyncIterable<Document>): Promise<Document[]> {
  const list: Document[] = []
  for await (const document of documents) list.push(document)
  return list
}

const GUIDE = `# Guide
Intro.

## Tea
### Green
Steep at 80 °.

\`\`\`
# no heading
\`\`\`

## Coffee
Grind it.
`

describe('splitDocuments', () => {
  it('keeps file, line, range and the headings above', async () => {
    const guide = { id: 'guide.md', text: GUIDE, meta: { file: 'guide.md', line: 11, lang: 'en' } }
    const parts = await all(splitDocuments([guide], { size: 40 }))
    expect(parts.map(({ text }) => text).join('')).toBe(GUIDE)
    for (const { id, text } of parts) {
      const [, start, end] = /^guide\.md#(\d+)-(\d+)$/.exec(id)!
      expect(GUIDE.slice(Number(start), Number(end))).toBe(text)
    }
    expect(parts.map(({ text, meta: { line, headings } }) => [text.trim().split('\n')[0], line, headings])).toEqual([
      ['# Guide', 11, ['Guide']],
      ['## Tea', 14, ['Guide', 'Tea', 'Green']],
      ['```', 18, ['Guide', 'Tea', 'Green']],
      ['## Coffee', 22, ['Guide', 'Coffee']],
    ])
    expect(parts[0]!.meta).toEqual({ file: 'guide.md', line: 11, lang: 'en', headings: ['Guide'] })
  })
  it('goes on under the same headings where a file is several documents', async () => {
    const meta = { file: 'long.md' }
    const parts = await all(
      splitDocuments(
        [
          { id: 'long.md@0', text: '# One\n## Two\na\n', meta: { ...meta, isContinued: true } },
          { id: 'long.md@15', text: 'b\n', meta },
          { id: 'other.md', text: 'c\n', meta: { file: 'other.md' } },
        ],
        { size: 100 },
      ),
    )
    expect(parts.map(({ meta }) => meta)).toEqual([
      { ...meta, headings: ['One', 'Two'] },
      { ...meta, headings: ['One', 'Two'] },
      { file: 'other.md' },
    ])
  })
  it('looks for headings in Markdown only, and leaves rows their line', async () => {
    const row = { id: 'a.csv@9', text: '# x\ny\n\nz', meta: { file: 'a.csv', line: 2, columns: { n: 1 } } }
    const parts = await all(splitDocuments([row], { size: 5 }))
    expect(parts.map(({ meta }) => meta)).toEqual([row.meta, row.meta, row.meta].slice(0, parts.length))
    expect(parts.length).toBeGreaterThan(1)
    const asked = await all(splitDocuments([row], { size: 50, markdown: true }))
    expect(asked[0]!.meta.headings).toEqual(['x'])
  })
  it('leaves out parts of white space, and says what it does not know', async () => {
    const blank = { id: 'a', text: `x${'\n'.repeat(40)}y`, meta: {} }
    expect((await all(splitDocuments([blank], { size: 10 }))).map(({ text }) => text.trim())).toEqual(['x', 'y'])
    await expect(all(splitDocuments([blank], { size: 10, chunk: 1 } as never))).rejects.toThrow(UsageError)
  })
})
