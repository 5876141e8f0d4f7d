import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FoundText, findDocumentation, findText } from './find-text.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-find-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function put(name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}

async function textsOf(found: FoundText): Promise<string[]> {
  const texts: string[] = []
  for await (const { text } of found.documents) texts.push(text)
  return texts
}

const COMMENT = 'This comment is long enough to be worth reading, and it says so in one sentence.'

describe('findDocumentation', () => {
  it('reads Markdown and doc comments, and leaves out licences, translations and repeated comments', async () => {
    put('b/README.md', '# b')
    put('b/README.fr.md', '# b en français')
    put('b/LICENSE.md', 'Permission is hereby granted')
    put('b/docs/guide.md', '# guide')
    put('a/index.d.ts', `/** ${COMMENT} */`)
    put('a/index.d.mts', `/** ${COMMENT} */`)
    put('a/lib.dom.d.ts', `/** ${COMMENT} The read-only property of the interface. */`)
    put('a/index.js', `/** ${COMMENT} In code. */`)
    const found = findDocumentation(folder)
    expect(await textsOf(found)).toEqual([COMMENT, '# b', '# guide'])
    expect(Object.values(found.leftOut())).toEqual([3, 1])
  })
})

describe('findText', () => {
  it('reads text, Markdown and JSONL in a folder and no other files', async () => {
    put('a.txt', 'plain')
    put('b.md', '# heading')
    put('c.jsonl', '{"text": "a row"}\n')
    put('package.json', '{"name": "no text"}')
    put('d.ts', 'code')
    const found = findText([folder], 'text', () => {})
    expect(await textsOf(found)).toEqual(['plain', '# heading', 'a row'])
    expect(found.description).toBe(folder)
  })

  it('finds the documentation of this checkout', () => {
    expect(findText([], 'text', () => {}).description).toBe('the documentation in node_modules')
  })
})
