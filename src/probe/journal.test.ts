import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { InputError } from '../errors.ts'
import { Journal } from './journal.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-journal-'))
afterAll(() => rmSync(folder, { recursive: true }))
let count = 0
const newPath = (): string => join(folder, `${count++}.jsonl`)
const header = { model: 'abc', samples: 3, seed: null }

describe('Journal', () => {
  it('gives back every number exactly, also those that JSON does not have', () => {
    const path = newPath()
    const journal = Journal.open(path, header)
    const numbers = [0.1 + 0.2, -0, 5e-324, 1.7976931348623157e308, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    journal.append('a', numbers)
    journal.append('b', [Number.NaN])
    journal.append('c', [])
    journal.close()
    const again = Journal.open(path, header)
    expect(again.size).toBe(3)
    // JSON.stringify(-0) is "0"
    expect(again.get('a')).toEqual(numbers.map((value) => value + 0))
    expect(again.get('b')).toEqual([Number.NaN])
    expect(again.get('c')).toEqual([])
    expect(again.get('d')).toBeUndefined()
    again.remove()
    expect(() => readFileSync(path)).toThrow('ENOENT')
  })

  it('drops a last line that was cut anywhere, and writes on from there', () => {
    const path = newPath()
    const journal = Journal.open(path, header)
    journal.append('first', [1])
    const whole = readFileSync(path)
    journal.append('second', [2, 3])
    journal.close()
    const longer = readFileSync(path)
    for (let end = whole.length; end < longer.length; end++) {
      writeFileSync(path, longer.subarray(0, end))
      const resumed = Journal.open(path, header)
      expect([resumed.get('first'), resumed.get('second')]).toEqual([[1], undefined])
      resumed.append('second', [2, 3])
      resumed.close()
      expect(readFileSync(path).equals(longer)).toBe(true)
    }
    // Even the first line may be cut.
    writeFileSync(path, longer.subarray(0, 20))
    expect(Journal.open(path, header).size).toBe(0)
  })

  it('refuses the journal of something else in one line that says what differs', () => {
    const path = newPath()
    Journal.open(path, header).close()
    const before = readFileSync(path)
    for (const [other, message] of [
      [{ ...header, model: 'xyz' }, /: model: expected "xyz", got "abc": it belongs to another search\. Remove it/],
      [{ ...header, metric: 'kl' }, /: metric: expected "kl", got nothing/],
      [{ model: 'abc', samples: 3 }, /: seed: expected nothing, got null/],
    ] as const) {
      expect(() => Journal.open(path, other as typeof header)).toThrow(InputError)
      expect(() => Journal.open(path, other as typeof header)).toThrow(message)
    }
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('refuses damage before the last line, other files, and places where no file can be', () => {
    const path = newPath()
    const journal = Journal.open(path, header)
    journal.append('a', [1])
    journal.close()
    const [first = ''] = readFileSync(path, 'utf8').split('\n')
    for (const line of ['{"key":"a"}', '{"key":1,"numbers":[]}', '{"key":"a","numbers":[null]}', 'x', 'null', '']) {
      writeFileSync(path, `${first}\n${line}\n{"key":"b","numbers":[1]}\n`)
      expect(() => Journal.open(path, header)).toThrow(/journal in .*:2: expected/)
    }
    writeFileSync(path, '{"text": "a row of data"}\n')
    expect(() => Journal.open(path, header)).toThrow(/:1: expected anneal-journal-1/)
    writeFileSync(path, 'one line without an end')
    expect(() => Journal.open(path, header)).toThrow(/got another file\. Choose another path/)
    expect(readFileSync(path, 'utf8')).toBe('one line without an end')
    expect(() => Journal.open(join(folder, 'missing', 'j'), header)).toThrow(InputError)
    expect(() => Journal.open(folder, header)).toThrow(InputError)
  })
})
