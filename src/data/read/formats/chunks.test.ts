import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { dataFolder, readAll } from '../../../../test/data-folder.ts'
import { startProcessorTime } from '../../../../test/processor-time.ts'
import { readDocuments } from '../sources.ts'

const { directory, file } = dataFolder()

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
      const { texts, report } = await readAll(path, { maxBadFraction: 1 }).catch(() => ({
        texts: [],
        report: undefined,
      }))
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
    const { texts } = await readAll(file('tail.jsonl.gz', whole.subarray(0, -8)), { maxBadFraction: 1 })
    expect(texts).toHaveLength(20_000)
  })

  it('of several members, or without the name, is read to the end', async () => {
    const path = file('members.jsonl', Buffer.concat([gzipSync('{"text": "a"}\n'), gzipSync('{"text": "b"}\n')]))
    expect((await readAll(path)).texts).toEqual(['a', 'b'])
  })

  it('that is damaged in the middle is reported as such', async () => {
    const damaged = Buffer.from(whole)
    damaged.fill(0xff, damaged.length / 2, damaged.length / 2 + 50)
    const { report } = await readAll(file('damaged.jsonl.gz', damaged), { maxBadFraction: 1 })
    expect(report.badByReason.damaged).toBe(1)
  })

  it('that becomes too long is refused before its first row', async () => {
    const rows = Buffer.from(`${JSON.stringify({ text: 'a'.repeat(2000) })}\n`.repeat(40_000))
    const packed = gzipSync(rows)
    expect(rows.length / packed.length).toBeGreaterThan(200)
    const documents = readDocuments([file('long.jsonl.gz', packed)], {})
    await expect(documents[Symbol.asyncIterator]().next()).rejects.toThrow(/gzip bomb/)
    // Cut short, the last bytes say something else, and what is there is read.
    const { texts } = await readAll(
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
    await expect(readAll(path)).rejects.toThrow(/expanded size in .*bomb.jsonl.gz.*gzip bomb/)
    expect(spent()).toBeLessThan(5000)
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6)
  })
})

describe('zstd', () => {
  // Made by the command zstd of two lines of JSON.
  const whole = Buffer.from('KLUv/QRYFQEA4HsidGV4dCI6ICJoZWoifQpyw7hkZ3LDuGQifQoBAGabSytuHfQ=', 'base64')

  it('is read, whatever its name', async () => {
    expect((await readAll(file('a.jsonl.zst', whole))).texts).toEqual(['hej', 'rødgrød'])
    expect((await readAll(file('b.jsonl', Buffer.concat([whole, whole])))).texts).toHaveLength(4)
  })

  it('that is cut short gives what is whole, and says so', async () => {
    const { texts, report } = await readAll(file('cut.jsonl.zst', Buffer.concat([whole, whole.subarray(0, -6)])), {
      maxBadFraction: 1,
    })
    expect(texts).toEqual(['hej', 'rødgrød'])
    expect(report.badByReason.truncated).toBe(1)
    expect(report.notices).toEqual([expect.stringContaining('zstd stream is cut short')])
  })
})
