import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../../test/data-folder.ts'
import { InputError, UnsupportedError, UsageError } from '../../errors.ts'
import type { Document } from './document.ts'
import { type ReadOptions, readDocuments } from './read-documents.ts'
import { readSubtitles } from './side-cars.ts'

const { directory, file } = dataFolder()

async function all(
  paths: string | string[],
  options?: ReadOptions,
): Promise<{ documents: Document[]; notices: readonly string[] }> {
  const reading = readDocuments(paths, options)
  const documents: Document[] = []
  for await (const document of reading) documents.push(document)
  return { documents, notices: reading.notices }
}

/** A PDF with a page for each text; `trailer` adds to its last part. */
function pdf(pages: readonly string[], { trailer = '', extra = '' } = {}): string {
  const kids = pages.map((_, i) => `${4 + 2 * i} 0 R`).join(' ')
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ...pages.flatMap((text, i) => {
      const lines = text === '' ? [] : text.split('\n')
      const drawn = `BT /F1 12 Tf 20 180 Td ${lines.map((line) => `(${line}) Tj 0 -14 Td`).join(' ')} ET`
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents ${5 + 2 * i} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
        `<< /Length ${drawn.length} >>\nstream\n${drawn}\nendstream`,
      ]
    }),
    ...(extra === '' ? [] : [extra]),
  ]
  let text = '%PDF-1.4\n'
  const places = objects.map((object, i) => {
    const at = text.length
    text += `${i + 1} 0 obj\n${object}\nendobj\n`
    return `${String(at).padStart(10, '0')} 00000 n \n`
  })
  const at = text.length
  return `${text}xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${places.join('')}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${trailer} >>\nstartxref\n${at}\n%%EOF\n`
}

const LOCKED = pdf(['secret'], {
  extra: `<< /Filter /Standard /V 1 /R 2 /O <${'00'.repeat(32)}> /U <${'11'.repeat(32)}> /P -4 >>`,
  trailer: `/Encrypt 6 0 R /ID [<${'22'.repeat(16)}> <${'22'.repeat(16)}>]`,
})
const PAGE =
  '<html><head><title>News</title></head><body><nav>Home</nav><article><h1>A find</h1><p>In a harbour town, on a Monday, a diver found a bell, and the bell was old.</p></article></body></html>'
const SUBTITLES =
  'WEBVTT - x\n\nSTYLE\n::cue {}\n\nNOTE no\n\n1\n00:01.000 --> 00:02.000 align:left\n<v.loud Anna>Hello <i>you</i> &amp; me, 2 < 3\n\n00:03.000 --> 00:04.000\n- Yes.\n- No.\n'

describe('readDocuments', () => {
  it('reads rows of any columns whole, and says so once a file', async () => {
    const folder = join(directory, 'tables')
    mkdirSync(folder)
    writeFileSync(join(folder, 'a.csv'), 'day,what,amount\n2026-01-02,rent,900\n2026-01-05,"milk, bread",\n')
    writeFileSync(join(folder, 'b.jsonl'), '{"text": "as it stands", "day": 1}\n')
    writeFileSync(join(folder, 'c.jsonl'), '{"who": {"name": "Freja"}, "old": true, "no": null}\n')
    const { documents, notices } = await all(folder)
    expect(documents.map(({ text }) => text)).toEqual([
      'day: 2026-01-02\nwhat: rent\namount: 900',
      'day: 2026-01-05\nwhat: milk, bread',
      'as it stands',
      'who: {"name":"Freja"}\nold: true',
    ])
    expect(notices).toHaveLength(2)
    expect(notices[0]).toContain("a.csv has no field 'text': its rows are read whole, a line for each field (day, what")
    await expect(all(folder, { textKey: 'words' })).rejects.toThrow("field 'words'")
  })

  it('reads files of every kind to the same shape, in order of their names', async () => {
    const folder = join(directory, 'kinds')
    mkdirSync(folder)
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
    write('a.txt', 'plain\n')
    write('b.md', '# Mark\n')
    write('c.jsonl', '{"text": "row 1", "lang": "da"}\n{"text": "row 2", "lang": "en"}\n')
    write('d.csv', 'lang,text\nda,cell\n')
    write('e.pdf', pdf(['First line\nsecond line', '', 'Third']))
    write('f.html', PAGE)
    write('g.json', '[{"text": "one"}, {"text": "two"}]')
    write('h.jpg', 'JFIF')
    write('h.jpg.md', 'A red house.\n')
    write('i.mp4', 'film')
    write('i.vtt', SUBTITLES)
    write('j.srt', '1\r\n00:00:01,000 --> 00:00:02,000\r\nAlone.\r\n')
    copyFileSync(join(import.meta.dirname, '../../../test/fixtures/data/snappy.parquet'), join(folder, 'k.parquet'))
    const { documents, notices } = await all(folder, { metaKeys: ['lang', 'title'] })
    const at = (name: string) => join(folder, name)
    expect(documents.slice(0, 12)).toEqual([
      { id: at('a.txt'), text: 'plain\n', meta: { file: at('a.txt'), line: 1 } },
      { id: at('b.md'), text: '# Mark\n', meta: { file: at('b.md'), line: 1 } },
      { id: at('c.jsonl@0'), text: 'row 1', meta: { file: at('c.jsonl'), line: 1, columns: { lang: 'da' } } },
      { id: at('c.jsonl@32'), text: 'row 2', meta: { file: at('c.jsonl'), line: 2, columns: { lang: 'en' } } },
      { id: at('d.csv@10'), text: 'cell', meta: { file: at('d.csv'), line: 2, columns: { lang: 'da' } } },
      { id: at('e.pdf@1'), text: 'First line\nsecond line', meta: { file: at('e.pdf'), page: 1, pages: 3 } },
      { id: at('e.pdf@3'), text: 'Third', meta: { file: at('e.pdf'), page: 3, pages: 3 } },
      {
        id: at('f.html'),
        text: expect.stringContaining('the bell was old.'),
        meta: { file: at('f.html'), line: 1, columns: { title: expect.any(String) } },
      },
      { id: at('g.json@1'), text: 'one', meta: { file: at('g.json'), line: 1 } },
      { id: at('g.json@18'), text: 'two', meta: { file: at('g.json'), line: 1 } },
      { id: at('h.jpg'), text: 'A red house.\n', meta: { file: at('h.jpg'), line: 1, sidecar: at('h.jpg.md') } },
      {
        id: at('i.mp4'),
        text: 'Anna: Hello you & me, 2 < 3\n- Yes.\n- No.',
        meta: { file: at('i.mp4'), sidecar: at('i.vtt') },
      },
    ])
    expect(documents[12]).toEqual({ id: at('j.srt'), text: 'Alone.', meta: { file: at('j.srt') } })
    expect(documents[13]!.id).toBe(at('k.parquet@0'))
    expect(new Set(documents.map(({ id }) => id)).size).toBe(documents.length)
    expect(notices).toEqual([
      `${at('e.pdf')}: 1 of 3 pages have no text: 2`,
      expect.stringMatching(/1 missing-text.*k\.parquet:4/),
    ])
  })

  it('reads a file in pieces that is longer than a document may be', async () => {
    const text = Array.from({ length: 4000 }, (_, i) => `Line ${i} of a long file.\n${i % 9 === 0 ? '\n' : ''}`).join(
      '',
    )
    const path = file('long.txt', text)
    const { documents } = await all(path, { limits: { maxDocumentBytes: 5000 } })
    expect(documents.length).toBeGreaterThan(text.length / 5000)
    for (const { text } of documents) expect(text.length).toBeLessThanOrEqual(5000)
    expect(documents.map(({ text }) => text).join('')).toBe(text)
    expect(documents.map(({ meta }) => meta.isContinued)).toEqual([...documents.slice(1).map(() => true), undefined])
    expect(documents[0]!.id).toBe(`${path}@0`)
    for (const { id, text: piece } of documents) expect(text.startsWith(piece, Number(id.split('@')[1]))).toBe(true)
  })

  it.each([
    ['locked.pdf', LOCKED, /^PDF in .*locked\.pdf: expected one that opens, got one with a password/, UnsupportedError],
    ['cut.pdf', pdf(['x']).slice(0, 60), /^PDF in .*cut\.pdf: expected a whole PDF, got/, InputError],
    ['text.pdf', 'no pdf', /^PDF in .*text\.pdf: expected %PDF- in its first bytes/, InputError],
    ['scan.pdf', pdf(['', '']), /^PDF in .*scan\.pdf: expected text, got 2 pages without any/, InputError],
    ['big.pdf', `%PDF-${' '.repeat(9000)}`, /^PDF in .*big\.pdf: expected at most 9000 bytes, got 9005/, InputError],
    ['mute.png', 'PNG', /^file .*mute\.png: expected a text beside it/, InputError],
    ['latin.srt', Buffer.from('1\n00:01 --> 00:02\nbl\xe5', 'latin1'), /latin\.srt: expected UTF-8/, InputError],
  ])(
    'says in a line why it does not read %s, and goes on where a folder was named',
    async (name, bytes, line, kind) => {
      const folder = join(directory, name.replace('.', '-'))
      mkdirSync(folder)
      writeFileSync(join(folder, name), bytes)
      const options = { maxPdfBytes: 9000 }
      const failed = all(join(folder, name), options)
      await expect(failed).rejects.toThrow(line)
      await expect(failed).rejects.toThrow(kind)
      await expect(failed).rejects.not.toThrow(/\n/)
      await expect(all(folder, options)).rejects.toThrow(/^documents in .*: expected at least one, got none$/)
      writeFileSync(join(folder, 'z.txt'), 'good')
      const { documents, notices } = await all(folder, options)
      expect(documents.map(({ text }) => text)).toEqual(['good'])
      expect(notices).toEqual([
        expect.stringMatching(new RegExp(`${name.replace('.', '\\.')}.* left out|left out.*${name}`)),
      ])
    },
  )

  it('gives each picture its text once, and says which text it takes', async () => {
    const folder = join(directory, 'pictures')
    mkdirSync(folder)
    for (const name of ['a.jpg', 'a.mp3', 'b.png', 'c.gif', 'd.gif']) writeFileSync(join(folder, name), 'x')
    for (const name of ['a.txt', 'b.png.txt', 'b.png.md', 'b.md']) writeFileSync(join(folder, name), name)
    const { documents, notices } = await all([folder, join(folder, 'b.png'), join(folder, 'b.png.txt')])
    const names = documents.map(({ meta }) => [meta.file, meta.sidecar].map((path) => path?.slice(folder.length + 1)))
    expect(names).toEqual([
      ['a.jpg', 'a.txt'],
      ['a.mp3', 'a.txt'],
      ['b.md', undefined],
      ['b.png', 'b.png.txt'],
      ['b.png.md', undefined],
    ])
    expect(notices).toContainEqual(
      expect.stringMatching(/b\.png has several texts.*b\.png\.txt is taken.*not .*b\.png\.md/),
    )
    expect(notices).toContainEqual(
      expect.stringMatching(/^2 pictures or sounds are left out.*c\.gif.txt would be one.*d\.gif$/),
    )
  })

  it('passes on what the readers of data say, and is read once', async () => {
    const path = file('bad.jsonl', `{"text": "a"}\n${'not json\n'.repeat(3)}`)
    await expect(all(path)).rejects.toThrow(InputError)
    const { documents, notices } = await all(path, { maxBadFraction: 1 })
    expect([documents.length, notices.length]).toEqual([1, 1])
    const once = readDocuments(path, { maxBadFraction: 1 })
    for await (const _ of once) break
    expect(() => once[Symbol.asyncIterator]()).toThrow(UsageError)
    expect(() => readDocuments(path, { textkey: 'x' } as never)).toThrow(/Did you mean|textKey/)
  })
})

describe('readSubtitles', () => {
  it('reads a hostile line in no time', async () => {
    const path = file(
      'hostile.vtt',
      `00:01.000 --> 00:02.000\n${'<'.repeat(100_000)}\n${'<v '.repeat(50_000)}\n<v${' '.repeat(50_000)}\n`,
    )
    expect((await readSubtitles(path, 1e6)).length).toBe(100_000 + 1 + 3 * 50_000 - 1 + 1 + 2)
    await expect(readSubtitles(path, 10)).rejects.toThrow(InputError)
  })
})
