import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder, readAll } from '../../../test/data-folder.ts'
import { readRows } from './sources.ts'

const fixtures = join(import.meta.dirname, '../../../test/fixtures/data')
const { directory, file } = dataFolder()

describe('readDocuments', () => {
  it('reads a directory of every format in name order, without hidden and unknown files', async () => {
    const { texts, documents, report } = await readAll(join(fixtures, 'tree'))
    expect(texts.slice(0, 11)).toEqual([
      '# Titel\n\nMarkdown med æøå.\n',
      'Plain text.\nSecond line.\n',
      'line one',
      'linje to',
      'array one',
      'array, [two] "quoted"',
      'a comma, a "quote" and\na line break',
      'plain',
      'it\'s 5" wide',
      'quoted\ttab',
      'zipped',
    ])
    expect(texts.slice(11)).toHaveLength(6)
    expect(texts[11]).toBe('Document 0: blåbærgrød, naïve café, 北京 and 🙂.')
    expect(report).toMatchObject({ files: 8, documents: 17, bad: 1, badByReason: { 'missing-text': 1 } })
    expect(documents[3]!.id).toEqual({ file: join(fixtures, 'tree/c.jsonl'), offset: 36, line: 3 })
  })

  it('reads only the extensions asked for in directories', async () => {
    const { texts } = await readAll(join(fixtures, 'tree'), { extensions: ['.md', '.json'] })
    expect(texts).toEqual(['# Titel\n\nMarkdown med æøå.\n', 'array one', 'array, [two] "quoted"'])
  })

  it('keeps the fields asked for beside the text', async () => {
    const path = join(fixtures, 'tree/c.jsonl')
    expect((await readAll(path, { metaKeys: ['lang'] })).documents[1]!.meta).toEqual({ lang: 'da' })
    expect((await readAll(path, { metaKeys: 'all' })).documents[0]!.meta).toEqual({ lang: 'en' })
    expect((await readAll(path)).documents[0]).not.toHaveProperty('meta')
    const { documents } = await readAll(join(fixtures, 'zstd.parquet'), { metaKeys: ['id'] })
    expect(documents.map(({ meta }) => meta!.id)).toEqual([1, 2, 3, 5, 6, '9007199254740993'])
  })

  it('reads a file that lists strings', async () => {
    expect((await readAll(file('strings.json', '["one",\n "two"]'))).texts).toEqual(['one', 'two'])
  })

  it('makes the line ends of text files LF, and says where the texts of rows have Windows ones', async () => {
    const plain = await readAll(file('windows.txt', 'one\r\ntwo\r\n'))
    expect([plain.texts, plain.report.notices]).toEqual([['one\ntwo\n'], []])
    const rows = file('windows.jsonl', '{"text": "a\\nb"}\r\n{"text": "a\\r\\nb"}\r\n')
    const { texts, report } = await readAll(rows)
    expect([texts, report.notices]).toEqual([
      ['a\nb', 'a\r\nb'],
      [
        `1 text with Windows line ends (\\r\\n), which are learnt as they stand (the first: ${rows}:2). Write \\n in their place in the data where that is not wanted`,
      ],
    ])
  })

  it('says that a .txt holds JSON lines and reads it so', async () => {
    const { texts, report } = await readAll(file('lines.txt', '{"text": "one"}\n{"text": "two"}\n'))
    expect(texts).toEqual(['one', 'two'])
    expect(report.notices).toEqual([expect.stringContaining('lines.txt holds JSON lines')])
  })

  it('reads a .json of JSON lines, a .jsonl that is an array, and a .json of one object', async () => {
    const lines = await readAll(file('lines.json', '{"text": "one"}\n{"text": "two"}\n'))
    expect([lines.texts, lines.report.notices.length]).toEqual([['one', 'two'], 1])
    const array = await readAll(file('array.jsonl', '[{"text": "one"},\n{"text": "two"}]'))
    expect([array.texts, array.report.notices.length]).toEqual([['one', 'two'], 1])
    expect((await readAll(file('object.json', '{\n  "text": "one"\n}\n'))).texts).toEqual(['one'])
  })

  it('lists the columns found when the text column is missing', async () => {
    const expected = /'text' in .*: expected .*found (columns )?instruction, output\. Name the one that holds/
    await expect(readAll(file('a.jsonl', '{"instruction": "x", "output": "y"}\n'))).rejects.toThrow(expected)
    await expect(readAll(file('a.csv', 'instruction,output\nx,y\n'))).rejects.toThrow(expected)
    await expect(readAll(join(fixtures, 'zstd.parquet'), { textKey: 'body' })).rejects.toThrow(
      /column 'body' in .*zstd.parquet: .*found id, text, tags, meta/,
    )
    await expect(readAll(file('proto.jsonl', '{"a": 1}\n'), { textKey: '__proto__' })).rejects.toThrow(/'__proto__'/)
  })

  it('takes the column names from the caller for a table without a header', async () => {
    const path = file('sst.tsv', '0\tone long string of cliches .\n1\t" fine \n')
    const { texts } = await readAll(path, { columns: ['label', 'sentence'], textKey: 'sentence' })
    expect(texts).toEqual(['one long string of cliches .', '" fine '])
  })

  it('refuses paths that hold no data, each with what to do', async () => {
    await expect(readAll(join(directory, 'nothing'))).rejects.toThrow(/got nothing there/)
    await expect(readAll('/dev/zero')).rejects.toThrow(/got a device/)
    await expect(readAll(file('model.bin', 'x'))).rejects.toThrow(/ending in \.txt.*got 'model.bin'/)
    await expect(readAll(file('empty.txt', ''))).rejects.toThrow(/at least one row, got none/)
    await expect(readAll(file('utf16.txt', Buffer.from('\uFEFFhej', 'utf16le')))).rejects.toThrow(/UTF-16/)
    await expect(readAll(file('a.jsonl.gz', 'not gzip'))).rejects.toThrow(/expected gzip/)
    await expect(readAll(file('a.jsonl.zst', 'not zstd'))).rejects.toThrow(/expected zstd/)
  })
})

describe('unicode', () => {
  it('comes through unchanged or is flagged: 10,000 strings with bidi, tags, combining marks and half pairs', async () => {
    const pieces = [
      'a',
      'e\u0301',
      'é',
      '\u202e',
      '\u{e0041}',
      '🙂',
      '\u200d',
      '\u2028',
      '\ufeff',
      '\ufffd',
      '\r\n',
      '𝔘',
      '\ud800',
      '\udc00',
    ]
    const strings = Array.from({ length: 10_000 }, (_, i) =>
      Array.from({ length: 1 + (i % 9) }, (_, j) => pieces[(i * 31 + j * j * 17 + (i >> 4)) % pieces.length]).join(''),
    )
    const path = file('unicode.jsonl', strings.map((text) => JSON.stringify({ text })).join('\n'))
    const { texts, report } = await readAll(path, { maxBadFraction: 1 })
    const whole = strings.filter((text) => text.isWellFormed())
    expect(whole.length).toBeGreaterThan(3000)
    expect(texts).toEqual(whole)
    expect(report.badByReason).toEqual({ 'lone-surrogate': 10_000 - whole.length })
  })
})

describe('readRows', () => {
  it('reads the rows that one object holds, whatever stands around them', async () => {
    const rows = [{ text: 'a, ]"}' }, { text: 'b', tags: ['x'] }]
    const whole = file('wrapped.json', JSON.stringify({ version: '1.0 [', size: 2, data: rows }))
    expect(await readAll(whole)).toMatchObject({
      texts: ['a, ]"}', 'b'],
      report: { notices: [expect.stringMatching(/is one object: its rows are read from 'data'/)] },
    })
    const more = file('more.json', JSON.stringify({ train: rows, test: rows, note: {} }, null, 2))
    expect(await readAll(more)).toMatchObject({
      texts: ['a, ]"}', 'b'],
      report: {
        notices: [expect.stringMatching(/'train'/), expect.stringMatching(/what follows its first list is not/)],
      },
    })
    // A row that has a list is a row.
    expect((await readAll(file('row.json', '{"text": "one", "data": [1, 2]}'))).texts).toEqual(['one'])
    expect((await readAll(file('chat.json', '{"text": "t", "messages": [{"role": "user"}]}'))).texts).toEqual(['t'])
  })

  it('reads a .csv with semicolons or tabs as spreadsheets write it', async () => {
    const semicolons = file('semicolon.csv', 'id;text\n1;"a; b, c"\n2;3,5\n')
    expect((await readAll(semicolons)).texts).toEqual(['a; b, c', '3,5'])
    expect((await readAll(semicolons)).report.notices).toEqual([expect.stringMatching(/separated by semicolons/)])
    expect((await readAll(file('tab.csv', 'id\ttext\n1\ta, b\n'))).texts).toEqual(['a, b'])
    expect((await readAll(file('comma.csv', 'text,"a;b"\n1;2,x\n'))).texts).toEqual(['1;2'])
  })

  it('reads once, so that nothing is counted twice', async () => {
    const reading = readRows(file('once.jsonl', '{"a": 1}\n'))
    for await (const _ of reading);
    await expect(async () => {
      for await (const _ of reading);
    }).rejects.toThrow(/read once/)
  })

  it('yields rows of any shape with their place', async () => {
    const path = file('rows.json', '[{"instruction": "x", "output": "y"}, "text"]')
    const rows = []
    for await (const row of readRows(path)) rows.push(row)
    expect(rows).toEqual([
      { row: { instruction: 'x', output: 'y' }, id: { file: path, offset: 1, line: 1 } },
      { row: 'text', id: { file: path, offset: 38, line: 1 } },
    ])
  })
})
