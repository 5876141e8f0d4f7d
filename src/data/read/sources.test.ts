import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../../test/processor-time.ts'
import { InputError } from '../../errors.ts'
import { orRefused } from './files.ts'
import { type DocumentOptions, readDocuments, readRows, type SourceDocument } from './sources.ts'

const fixtures = join(import.meta.dirname, '../../../test/fixtures/data')
const directory = mkdtempSync(join(tmpdir(), 'anneal-sources-'))
afterAll(() => rmSync(directory, { recursive: true }))

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

async function read(paths: string | string[], options: DocumentOptions = {}) {
  const reading = readDocuments(paths, options)
  const documents: SourceDocument[] = []
  for await (const document of reading) documents.push(document)
  return { documents, texts: documents.map(({ text }) => text), report: reading.report }
}

describe('readDocuments', () => {
  it('reads a directory of every format in name order, without hidden and unknown files', async () => {
    const { texts, documents, report } = await read(join(fixtures, 'tree'))
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
    const { texts } = await read(join(fixtures, 'tree'), { extensions: ['.md', '.json'] })
    expect(texts).toEqual(['# Titel\n\nMarkdown med æøå.\n', 'array one', 'array, [two] "quoted"'])
  })

  it('keeps the fields asked for beside the text', async () => {
    const path = join(fixtures, 'tree/c.jsonl')
    expect((await read(path, { metaKeys: ['lang'] })).documents[1]!.meta).toEqual({ lang: 'da' })
    expect((await read(path, { metaKeys: 'all' })).documents[0]!.meta).toEqual({ lang: 'en' })
    expect((await read(path)).documents[0]).not.toHaveProperty('meta')
    const { documents } = await read(join(fixtures, 'zstd.parquet'), { metaKeys: ['id'] })
    expect(documents.map(({ meta }) => meta!.id)).toEqual([1, 2, 3, 5, 6, '9007199254740993'])
  })

  it('reads a file that lists strings', async () => {
    expect((await read(file('strings.json', '["one",\n "two"]'))).texts).toEqual(['one', 'two'])
  })

  it('says that a .txt holds JSON lines and reads it so', async () => {
    const { texts, report } = await read(file('lines.txt', '{"text": "one"}\n{"text": "two"}\n'))
    expect(texts).toEqual(['one', 'two'])
    expect(report.notices).toEqual([expect.stringContaining('lines.txt holds JSON lines')])
  })

  it('reads a .json of JSON lines, a .jsonl that is an array, and a .json of one object', async () => {
    const lines = await read(file('lines.json', '{"text": "one"}\n{"text": "two"}\n'))
    expect([lines.texts, lines.report.notices.length]).toEqual([['one', 'two'], 1])
    const array = await read(file('array.jsonl', '[{"text": "one"},\n{"text": "two"}]'))
    expect([array.texts, array.report.notices.length]).toEqual([['one', 'two'], 1])
    expect((await read(file('object.json', '{\n  "text": "one"\n}\n'))).texts).toEqual(['one'])
  })

  it('lists the columns found when the text column is missing', async () => {
    const expected = /'text' in .*: expected .*found (columns )?instruction, output\. Name the one that holds/
    await expect(read(file('a.jsonl', '{"instruction": "x", "output": "y"}\n'))).rejects.toThrow(expected)
    await expect(read(file('a.csv', 'instruction,output\nx,y\n'))).rejects.toThrow(expected)
    await expect(read(join(fixtures, 'zstd.parquet'), { textKey: 'body' })).rejects.toThrow(
      /column 'body' in .*zstd.parquet: .*found id, text, tags, meta/,
    )
    await expect(read(file('proto.jsonl', '{"a": 1}\n'), { textKey: '__proto__' })).rejects.toThrow(/'__proto__'/)
  })

  it('takes the column names from the caller for a table without a header', async () => {
    const path = file('sst.tsv', '0\tone long string of cliches .\n1\t" fine \n')
    const { texts } = await read(path, { columns: ['label', 'sentence'], textKey: 'sentence' })
    expect(texts).toEqual(['one long string of cliches .', '" fine '])
  })

  it('refuses paths that hold no data, each with what to do', async () => {
    await expect(read(join(directory, 'nothing'))).rejects.toThrow(/got nothing there/)
    await expect(read('/dev/zero')).rejects.toThrow(/got a device/)
    await expect(read(file('model.bin', 'x'))).rejects.toThrow(/ending in \.txt.*got 'model.bin'/)
    await expect(read(file('empty.txt', ''))).rejects.toThrow(/at least one row, got none/)
    await expect(read(file('utf16.txt', Buffer.from('\uFEFFhej', 'utf16le')))).rejects.toThrow(/UTF-16/)
    await expect(read(file('a.jsonl.gz', 'not gzip'))).rejects.toThrow(/expected gzip/)
    await expect(read(file('a.jsonl', Buffer.from('28b52ffd00', 'hex')))).rejects.toThrow(/zstd -d/)
  })
})

describe('bad lines', () => {
  const bad: [Buffer, string][] = [
    [Buffer.from('{"text": "\xff\xfe"}', 'latin1'), 'invalid-utf8'],
    [Buffer.from('{"text": "unclosed'), 'bad-json'],
    [Buffer.from('{"text": NaN}'), 'bad-json'],
    [Buffer.from('{"text": "\0"}'), 'nul'],
    [Buffer.from('{"text": "\\u0000"}'), 'nul'],
    [Buffer.from('{"text": "\\ud800 half"}'), 'lone-surrogate'],
    [Buffer.from('{"text": "a", "text": "b"}'), 'duplicate-key'],
    [Buffer.from('{"text": "a", "meta": {"x": 1, "x": 2}}'), 'duplicate-key'],
    [Buffer.from('{"text": null}'), 'missing-text'],
    [Buffer.from('{"txt": "a"}'), 'missing-text'],
    [Buffer.from('[1, 2]'), 'not-a-row'],
    [Buffer.from(`{"text": "${'long '.repeat(500)}"}`), 'line-too-long'],
    [Buffer.from(`{"text": "a", "meta": ${'['.repeat(600)}${']'.repeat(600)}}`), 'too-deep'],
  ]

  it('lose no good line of 100,000, are counted exactly, and are found again by their offset', async () => {
    const every = 1000
    const lines: Buffer[] = []
    const good: string[] = []
    const planted: { line: number; bytes: Buffer; reason: string }[] = []
    for (let i = 1; i <= 100_000; i++) {
      const [bytes, reason] = bad[Math.floor(i / every) % bad.length]!
      if (i % every === 0) planted.push({ line: i, bytes, reason })
      else good.push(`row ${i} "æ" \\ 🙂`)
      lines.push(
        Buffer.concat([
          i % every === 0 ? bytes : Buffer.from(JSON.stringify({ text: good.at(-1) })),
          Buffer.from('\n'),
        ]),
      )
    }
    const path = file('mixed.jsonl', Buffer.concat(lines))
    const quarantinePath = join(directory, 'out/quarantine.jsonl')
    const { texts, report } = await read(path, { quarantinePath, limits: { maxLineBytes: 2000 } })
    expect(texts).toEqual(good)
    expect([report.good, report.bad]).toEqual([99_900, 100])

    const records = readFileSync(quarantinePath, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(records.map(({ line, reason }) => ({ line, reason }))).toEqual(
      planted.map(({ line, reason }) => ({ line, reason })),
    )
    const handle = openSync(path, 'r')
    for (const [i, { offset, length, file: where }] of records.entries()) {
      const found = Buffer.alloc(length)
      readSync(handle, found, 0, length, offset)
      expect(found).toEqual(planted[i]!.bytes)
      expect(where).toBe(path)
    }
    closeSync(handle)
  })

  it('stop the reading at its end when they are more than a thousandth', async () => {
    const good = '{"text": "a"}\n'
    const path = file('many-bad.jsonl', good.repeat(1998) + 'x\n'.repeat(3))
    const reading = readDocuments(path)
    let seen = 0
    const all = async () => {
      for await (const _ of reading) seen++
    }
    await expect(all()).rejects.toThrow(
      /many-bad.jsonl:1999: expected at most 0.1 % bad, got 3 of 2001 \(3 bad-json; 0\.0 % of the bytes\).*or raise max_bad_fraction/,
    )
    expect(seen).toBe(1998)
    await expect(read(path, { maxBadFraction: 0.002 })).resolves.toBeDefined()
    await expect(read(file('two.jsonl', good.repeat(1997) + 'x\n'.repeat(2)))).rejects.toThrow(InputError)
    await expect(read(file('two.jsonl', good.repeat(1998) + 'x\n'.repeat(2)))).resolves.toBeDefined()
  })

  it('may be one in a small file, unless none is allowed or nothing is good', async () => {
    const one = file('one.jsonl', '{"text": "a"}\nx\n')
    expect((await read(one)).report.bad).toBe(1)
    await expect(read(one, { maxBadFraction: 0 })).rejects.toThrow(/got 1 of 2/)
    await expect(read(file('none.jsonl', 'x\n'))).rejects.toThrow(
      /none\.jsonl: expected a line that can be read, got 1 bad line\. The first is bad-json/,
    )
  })

  it('end the reading early when a large file is garbage', async () => {
    const path = file('garbage.jsonl', 'x\n'.repeat(50_000))
    await expect(read(path)).rejects.toThrow(/got 10000 of 10000/)
  })

  it('leave no quarantine file behind when nothing is bad', async () => {
    const quarantinePath = file('stale.jsonl', 'stale')
    await read(file('fine.jsonl', '{"text": "a"}\n'), { quarantinePath })
    expect(existsSync(quarantinePath)).toBe(false)
  })

  it('count by their bytes, too: one line of most of a folder is no slip, and its encoding is named', async () => {
    const good = file('a-good.txt', 'A line of text.\n'.repeat(100))
    const long = `${'Bl\xe5b\xe6rgr\xf8d og r\xf8dgr\xf8d. '.repeat(500)}\n`
    const mixed = file('b-mixed.txt', Buffer.from(`One good line.\n${long}`, 'latin1'))
    await expect(read([good, mixed])).rejects.toThrow(
      /b-mixed\.txt:2: .*got 1 of 102 \(1 invalid-utf8; 8\d\.\d % of the bytes\).*perhaps WINDOWS-1252: iconv -f WINDOWS-1252 -t UTF-8 .*b-mixed\.txt/,
    )
    const none = file('c-none.txt', Buffer.from(long, 'latin1'))
    await expect(read([good, none])).rejects.toThrow(/c-none\.txt: expected a line that can be read.*WINDOWS-1252/)
    expect((await read([good, mixed], { maxBadFraction: 0.9 })).report.bad).toBe(1)
  })

  it('are cut out of plain text, and the lines around them stay', async () => {
    const path = file('latin1.txt', Buffer.from('one\nbl\xe5b\xe6r\nthree\n', 'latin1'))
    const { texts, report } = await read(path, { maxBadFraction: 0.5 })
    expect(texts).toEqual(['one\nthree\n'])
    expect(report).toMatchObject({ good: 2, bad: 1, badByReason: { 'invalid-utf8': 1 } })
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
    const { texts, report } = await read(path, { maxBadFraction: 1 })
    const whole = strings.filter((text) => text.isWellFormed())
    expect(whole.length).toBeGreaterThan(3000)
    expect(texts).toEqual(whole)
    expect(report.badByReason).toEqual({ 'lone-surrogate': 10_000 - whole.length })
  })
})

describe('gzip', () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ text: `row ${i} ${(i * 7919) % 10_007}` }))
  const whole = gzipSync(`${lines.join('\n')}\n`)

  it('that is cut short gives every line before the cut', async () => {
    for (const fraction of [0.001, 0.5, 0.9999]) {
      const cut = whole.subarray(0, Math.floor(whole.length * fraction))
      const path = file('cut.jsonl.gz', cut)
      // What zlib itself can get out of the bytes, as a reference.
      const possible = execFileSync('sh', ['-c', `gzip -dc '${path}' 2>/dev/null || true`], {
        maxBuffer: 1e9,
      }).toString()
      const expected = possible
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).text)
      const { texts, report } = await read(path, { maxBadFraction: 1 }).catch(() => ({ texts: [], report: undefined }))
      expect(texts.length).toBeGreaterThanOrEqual(expected.length)
      expect(texts.slice(0, expected.length)).toEqual(expected)
      if (fraction > 0.4) {
        expect(texts.length).toBeGreaterThan(20_000 * (fraction - 0.1))
        expect(report!.badByReason.truncated).toBe(1)
        expect(report!.notices).toEqual([expect.stringContaining('cut short')])
      }
    }
  })

  it('that lost only its checksum loses no line', async () => {
    const { texts } = await read(file('tail.jsonl.gz', whole.subarray(0, -8)), { maxBadFraction: 1 })
    expect(texts).toHaveLength(20_000)
  })

  it('of several members, or without the name, is read to the end', async () => {
    const path = file('members.jsonl', Buffer.concat([gzipSync('{"text": "a"}\n'), gzipSync('{"text": "b"}\n')]))
    expect((await read(path)).texts).toEqual(['a', 'b'])
  })

  it('that is damaged in the middle is reported as such', async () => {
    const damaged = Buffer.from(whole)
    damaged.fill(0xff, damaged.length / 2, damaged.length / 2 + 50)
    const { report } = await read(file('damaged.jsonl.gz', damaged), { maxBadFraction: 1 })
    expect(report.badByReason.damaged).toBe(1)
  })

  it('that becomes too long is refused before its first row', async () => {
    const rows = Buffer.from(`${JSON.stringify({ text: 'a'.repeat(2000) })}\n`.repeat(40_000))
    const packed = gzipSync(rows)
    expect(rows.length / packed.length).toBeGreaterThan(200)
    const documents = readDocuments([file('long.jsonl.gz', packed)], {})
    await expect(documents[Symbol.asyncIterator]().next()).rejects.toThrow(/gzip bomb/)
    // Cut short, the last bytes say something else, and what is there is read.
    const { texts } = await read(
      file('cut.jsonl.gz', Buffer.concat([whole.subarray(0, 20_000), Buffer.alloc(4, 0xff)])),
      {
        maxBadFraction: 1,
      },
    )
    expect(texts.length).toBeGreaterThan(1000)
  })

  it('bombs are refused soon and in little memory', async () => {
    const path = join(directory, 'bomb.jsonl.gz')
    execFileSync('sh', ['-c', `head -c 150000000 /dev/zero | gzip -1 > '${path}'`])
    const before = process.memoryUsage().rss
    const spent = startProcessorTime()
    await expect(read(path)).rejects.toThrow(/expanded size in .*bomb.jsonl.gz.*gzip bomb/)
    expect(spent()).toBeLessThan(5000)
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6)
  })
})

describe('links', () => {
  it('to files are read, to folders or to nothing are said', async () => {
    const folder = join(directory, 'links')
    mkdirSync(join(folder, 'inner'), { recursive: true })
    writeFileSync(join(folder, 'inner/a.txt'), 'inner')
    const outside = join(directory, 'linked')
    mkdirSync(outside)
    writeFileSync(join(outside, 'b.txt'), 'outside')
    symlinkSync(join(outside, 'b.txt'), join(folder, 'b.txt'))
    symlinkSync('nowhere.txt', join(folder, 'dangling.txt'))
    symlinkSync(outside, join(folder, 'elsewhere'))
    const { texts, report } = await read(folder)
    expect(texts).toEqual(['outside', 'inner'])
    expect(report.notices).toEqual([
      expect.stringMatching(/dangling\.txt is a link to nowhere\.txt, which is not there: left out$/),
      expect.stringMatching(/elsewhere is a link to a folder and is not followed: name it beside .*links to read it$/),
    ])
    await expect(read(join(folder, 'dangling.txt'))).rejects.toThrow(/got a link to nowhere\.txt, which is not there$/)
  })

  it('and files that may not be read are an error that says so', () => {
    const refused = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    const open = () =>
      orRefused('data/secret.txt', () => {
        throw refused
      })
    expect(open).toThrow(/^path data\/secret\.txt: expected the right to read it, got EACCES\. Give it \(chmod/)
    expect(open).toThrow(InputError)
  })
})

describe('readRows', () => {
  it('reads the rows that one object holds, whatever stands around them', async () => {
    const rows = [{ text: 'a, ]"}' }, { text: 'b', tags: ['x'] }]
    const whole = file('wrapped.json', JSON.stringify({ version: '1.0 [', size: 2, data: rows }))
    expect(await read(whole)).toMatchObject({
      texts: ['a, ]"}', 'b'],
      report: { notices: [expect.stringMatching(/is one object: its rows are read from 'data'/)] },
    })
    const more = file('more.json', JSON.stringify({ train: rows, test: rows, note: {} }, null, 2))
    expect(await read(more)).toMatchObject({
      texts: ['a, ]"}', 'b'],
      report: {
        notices: [expect.stringMatching(/'train'/), expect.stringMatching(/what follows its first list is not/)],
      },
    })
    // A row that has a list is a row.
    expect((await read(file('row.json', '{"text": "one", "data": [1, 2]}'))).texts).toEqual(['one'])
    expect((await read(file('chat.json', '{"text": "t", "messages": [{"role": "user"}]}'))).texts).toEqual(['t'])
  })

  it('reads a .csv with semicolons or tabs as spreadsheets write it', async () => {
    const semicolons = file('semicolon.csv', 'id;text\n1;"a; b, c"\n2;3,5\n')
    expect((await read(semicolons)).texts).toEqual(['a; b, c', '3,5'])
    expect((await read(semicolons)).report.notices).toEqual([expect.stringMatching(/separated by semicolons/)])
    expect((await read(file('tab.csv', 'id\ttext\n1\ta, b\n'))).texts).toEqual(['a, b'])
    expect((await read(file('comma.csv', 'text,"a;b"\n1;2,x\n'))).texts).toEqual(['1;2'])
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
