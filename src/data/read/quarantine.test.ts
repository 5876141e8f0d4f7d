import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataFolder, readAll } from '../../../test/data-folder.ts'
import { InputError } from '../../errors.ts'
import { readDocuments } from './sources.ts'

const { directory, file } = dataFolder()

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
    const { texts, report } = await readAll(path, { quarantinePath, limits: { maxLineBytes: 2000 } })
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
    const reading = readDocuments(path, { maxBadFraction: 0.001 })
    let seen = 0
    const all = async () => {
      for await (const _ of reading) seen++
    }
    await expect(all()).rejects.toThrow(
      /many-bad.jsonl:1999: expected at most 0.1 % bad, got 3 of 2001 \(3 bad-json; 0 % of the bytes\).*or raise max_bad_fraction/,
    )
    expect(seen).toBe(1998)
    // Who cannot say how much may be bad is not told to.
    await expect(readAll(path)).rejects.toThrow(/got 3 of 2001 .*\. Mend the data$/)
    await expect(readAll(path, { maxBadFraction: 0.002 })).resolves.toBeDefined()
    await expect(readAll(file('two.jsonl', good.repeat(1997) + 'x\n'.repeat(2)))).rejects.toThrow(InputError)
    await expect(readAll(file('two.jsonl', good.repeat(1998) + 'x\n'.repeat(2)))).resolves.toBeDefined()
  })

  it('may be one in a small file, unless none is allowed or nothing is good', async () => {
    const one = file('one.jsonl', '{"text": "a"}\nx\n')
    expect((await readAll(one)).report.bad).toBe(1)
    await expect(readAll(one, { maxBadFraction: 0 })).rejects.toThrow(/got 1 of 2/)
    await expect(readAll(file('none.jsonl', 'x\n'))).rejects.toThrow(
      /none\.jsonl: expected a line that can be read, got 1 bad line\. The first is bad-json/,
    )
  })

  it('end the reading early when a large file is garbage', async () => {
    const path = file('garbage.jsonl', 'x\n'.repeat(50_000))
    await expect(readAll(path)).rejects.toThrow(/got 10000 of 10000/)
  })

  it('leave no quarantine file behind when nothing is bad', async () => {
    const quarantinePath = file('stale.jsonl', 'stale')
    await readAll(file('fine.jsonl', '{"text": "a"}\n'), { quarantinePath })
    expect(existsSync(quarantinePath)).toBe(false)
  })

  it('count by their bytes, too: one line of most of a folder is no slip, and its encoding is named', async () => {
    const good = file('a-good.txt', 'A line of text.\n'.repeat(100))
    const long = `${'Bl\xe5b\xe6rgr\xf8d og r\xf8dgr\xf8d. '.repeat(500)}\n`
    const mixed = file('b-mixed.txt', Buffer.from(`One good line.\n${long}`, 'latin1'))
    await expect(readAll([good, mixed])).rejects.toThrow(
      /b-mixed\.txt:2: .*got 1 of 102 \(1 invalid-utf8; 8\d\.\d % of the bytes\).*perhaps WINDOWS-1252: iconv -f WINDOWS-1252 -t UTF-8 .*b-mixed\.txt/,
    )
    const none = file('c-none.txt', Buffer.from(long, 'latin1'))
    await expect(readAll([good, none])).rejects.toThrow(/c-none\.txt: expected a line that can be read.*WINDOWS-1252/)
    expect((await readAll([good, mixed], { maxBadFraction: 0.9 })).report.bad).toBe(1)
  })

  it('are cut out of plain text, and the lines around them stay', async () => {
    const path = file('latin1.txt', Buffer.from('one\nbl\xe5b\xe6r\nthree\n', 'latin1'))
    const { texts, report } = await readAll(path, { maxBadFraction: 0.5 })
    expect(texts).toEqual(['one\nthree\n'])
    expect(report).toMatchObject({ good: 2, bad: 1, badByReason: { 'invalid-utf8': 1 } })
  })
})
