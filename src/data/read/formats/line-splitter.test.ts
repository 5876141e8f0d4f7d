import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineSplitter, type LineSplitterOptions } from './line-splitter.ts'

function split(bytes: Buffer, options: LineSplitterOptions, chunkBytes = 7) {
  const splitter = new LineSplitter(options)
  const lines = []
  for (let i = 0; i < bytes.length; i += chunkBytes) lines.push(...splitter.push(bytes.subarray(i, i + chunkBytes)))
  return [...lines, ...splitter.end()]
}

describe('LineSplitter', () => {
  const options = { maxLineBytes: 1000 }

  it('knows where each line stands, with LF, CRLF and no end', () => {
    const lines = split(Buffer.from('one\r\n\nthree\rx\nend'), options)
    expect(lines.map(({ bytes, offset, line, length }) => [bytes.toString(), offset, line, length])).toEqual([
      ['one', 0, 1, 4],
      ['', 5, 2, 0],
      ['three\rx', 6, 3, 7],
      ['end', 14, 4, 3],
    ])
  })

  it('drops a byte order mark', () => {
    const [line] = split(Buffer.from('\uFEFFæ\n'), options)
    expect(line).toMatchObject({ offset: 3, length: 2, line: 1 })
    expect(line!.bytes.toString()).toBe('æ')
  })

  it('marks a line that is too long, keeps its start only, and goes on after it', () => {
    const bytes = Buffer.concat([Buffer.from('a\n'), Buffer.alloc(1_000_000, 'b'), Buffer.from('\nc\n')])
    const [first, long, last] = split(bytes, options, 64 * 1024)
    expect(first).not.toHaveProperty('isTooLong')
    expect(long).toMatchObject({ isTooLong: true, length: 1_000_000, offset: 2, line: 2 })
    expect(long!.bytes.length).toBeLessThan(300)
    expect(last).toMatchObject({ offset: 1_000_003, line: 3, length: 1 })
  })

  it('gives the lines of split(), and their place, whatever the chunks', () => {
    const text = fc.array(fc.constantFrom('a', 'æ', '🙂', ' ', '\n', '\r\n')).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 9 }), (content, chunkBytes) => {
        const bytes = Buffer.from(content)
        const lines = split(bytes, options, chunkBytes)
        const expected = content.split('\n')
        if (expected.at(-1) === '') expected.pop()
        expect(lines.map((line) => line.bytes.toString())).toEqual(expected.map((line) => line.replace(/\r$/, '')))
        for (const { offset, length, bytes: found } of lines) {
          expect(
            bytes
              .subarray(offset, offset + length)
              .toString()
              .replace(/\r$/, ''),
          ).toBe(found.toString())
        }
      }),
    )
  })

  it('cuts long lines after a space or at least between characters, and loses nothing', () => {
    const text = fc.array(fc.constantFrom('a', 'æ', '🙂', ' ', '\n')).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 50 }), (content, chunkBytes) => {
        const lines = split(Buffer.from(content), { maxLineBytes: 8, cutsLongLines: true }, chunkBytes)
        const joined = lines.map(({ bytes, continues }) => bytes.toString() + (continues ? '' : '\n')).join('')
        expect(joined.replace(/\n$/, '')).toBe(content.replace(/\n$/, ''))
        for (const { bytes } of lines) expect(bytes.length).toBeLessThanOrEqual(8)
      }),
    )
  })
})
