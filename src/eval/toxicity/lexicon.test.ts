// Words are found whole, in any case and script, and nothing else is.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { InputError } from '../../errors.ts'
import { Lexicon, readLexicon } from './lexicon.ts'

describe('a lexicon', () => {
  const lexicon = new Lexicon(['blorp', 'Zark  off', 'ÆBLÆ', '悪い', 'ช้าง', '@zz', 'e\u0301clat', ' '])
  it('finds whole words in any case, also beside signs', () => {
    expect(lexicon.found('You BLORP! (blorp)')).toEqual(['blorp'])
    expect(lexicon.found('zark\n off, æblæ')).toEqual(['zark off', 'æblæ'])
    expect(lexicon.found('an @zz')).toEqual(['@zz'])
  })
  it('finds no part of another word, nor another spelling', () => {
    for (const text of [
      'blorps',
      'sublorp',
      'blorp_er',
      'blorpé',
      'blorp\u0301',
      'blorp2',
      'b l o r p',
      'bl0rp',
      'æblæet',
      '',
    ])
      expect([text, lexicon.found(text)]).toEqual([text, []])
  })
  it('finds words inside runs of scripts without blanks', () => {
    expect(lexicon.found('とても悪いです')).toEqual(['悪い'])
    expect(lexicon.found('ฉันเห็นช้างใหญ่')).toEqual(['ช้าง'])
    expect(lexicon.found('悪意')).toEqual([])
  })
  it('knows composed and decomposed letters as one', () => {
    expect(lexicon.found('un \u00e9clat')).toEqual(['\u00e9clat'])
  })
  it('gives 1 to a text that has one of them, 0 to others, and nothing to one without words', async () => {
    expect(await lexicon.score(['blorp blorp', 'fine', ' '])).toEqual([1, 0, undefined])
  })
})

describe('a list of words in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lexicon-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const written = (content: string | Buffer): string => {
    const file = join(folder, 'words.txt')
    writeFileSync(file, content)
    return file
  }
  it('has one in a line', () => {
    expect(readLexicon(written('\ufeffblorp\r\n\r\nzark\n')).found('Zark, blorp')).toEqual(['zark', 'blorp'])
  })
  it('is refused where it has none, or is no text', () => {
    expect(() => readLexicon(written(' \n\n'))).toThrow(/words\.txt: expected a word in each line, got none/)
    expect(() => readLexicon(written(Buffer.from([0xff, 0xfe, 0x00])))).toThrow(InputError)
  })
})
