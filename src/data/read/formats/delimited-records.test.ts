import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DelimitedOptions, DelimitedRecords } from './delimited-records.ts'
import { LineSplitter } from './line-splitter.ts'

const CSV: DelimitedOptions = { delimiter: ',', maxRecordBytes: 1000, takesStrayQuotes: false }
const TSV: DelimitedOptions = { delimiter: '\t', maxRecordBytes: 1000, takesStrayQuotes: true }

function records(content: string | Buffer, options: DelimitedOptions = CSV) {
  const splitter = new LineSplitter({ maxLineBytes: options.maxRecordBytes })
  const reader = new DelimitedRecords(options)
  const lines = [...splitter.push(Buffer.from(content as string)), ...splitter.end()]
  const outcomes = [...lines.flatMap((line) => reader.push(line)), ...reader.end()]
  return outcomes.map((outcome) => ('fields' in outcome ? outcome.fields : `${outcome.first.line} ${outcome.reason}`))
}

describe('DelimitedRecords', () => {
  it('reads what RFC 4180 writes', () => {
    expect(records('a,"b ""c"", d",\r\n"x\r\ny\n","",""""\n\n5" disk,z\n')).toEqual([
      ['a', 'b "c", d', ''],
      ['x\ny\n', '', '"'],
      ['5" disk', 'z'],
    ])
  })

  it('reads back every table, written with quotes', () => {
    const field = fc.array(fc.constantFrom('a', 'æ', '"', ',', '\n', ' ')).map((parts) => parts.join(''))
    const table = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }))
    fc.assert(
      fc.property(table, fc.boolean(), (rows, quotesAll) => {
        const quote = (text: string) => (quotesAll || /["\n,]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
        expect(
          records(rows.map((row) => `${row.map(quote).join(',')}\n`).join(''), { ...CSV, maxRecordBytes: 1e6 }),
        ).toEqual(rows)
      }),
    )
  })

  it('gives up only the line with a quote that is never closed', () => {
    expect(records('a,b\nc,"d\ne,f\ng,h\n')).toEqual([['a', 'b'], '2 bad-csv', ['e', 'f'], ['g', 'h']])
    expect(records('"\n'.repeat(5))).toEqual([['\n'], ['\n'], '5 bad-csv'])
    const tail = 'e,f\n'.repeat(400)
    expect(records(`c,"d\n${tail}`)).toEqual(['1 bad-csv', ...Array(400).fill(['e', 'f'])])
  })

  it('gives up only the line where something follows a closing quote', () => {
    expect(records('a,b\n"c" d,e\nf,g\n')).toEqual([['a', 'b'], '2 bad-csv', ['f', 'g']])
    expect(records('"c\nd" x,e\nf,g\n')).toEqual(['1 bad-csv', ['d" x', 'e'], ['f', 'g']])
  })

  it('gives up lines that are too long or not text, and the record they are in', () => {
    expect(records(Buffer.from('a,b\n\xff,c\nd,"\xff"\n\0,x\ne,f\n', 'latin1'))).toEqual([
      ['a', 'b'],
      '2 invalid-utf8',
      '3 invalid-utf8',
      '4 nul',
      ['e', 'f'],
    ])
    expect(records(`a,b\n${'x'.repeat(2000)}\nc,d\n`)).toEqual([['a', 'b'], '2 line-too-long', ['c', 'd']])
  })

  it('takes stray quotes of TSV as they are', () => {
    expect(records('1\t"quoted\ttab"\n2\t"Wow" she said\n3\t"open\n4\tend\n', TSV)).toEqual([
      ['1', 'quoted\ttab'],
      ['2', '"Wow" she said'],
      ['3', '"open'],
      ['4', 'end'],
    ])
  })

  it('is linear in hostile input', () => {
    const seconds = (contents: string[]): number => {
      const start = process.cpuUsage()
      for (const content of contents) records(content.repeat(50_000))
      const { user, system } = process.cpuUsage(start)
      return (user + system) / 1e6
    }
    // Against harmless lines on the same machine under the same load; a quadratic reader is thousands of times slower.
    const harmless = seconds(['a,b\n'])
    const hostile = seconds(['"a\n', '"""\n', 'a,"\n', '"a"b\n', '"\n""\n', '"x\n"y\n'])
    expect(hostile).toBeLessThan(300 * harmless)
  })
})
