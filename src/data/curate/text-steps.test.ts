import { describe, expect, it } from 'vitest'
import { Ledger } from './ledger.ts'
import { normalise } from './normalise.ts'
import { maskPii } from './pii.ts'

describe('normalise', () => {
  it('gives one form to what looks the same and takes out what cannot be seen', () => {
    expect(normalise('\ufeffe\u0301\u00ad \r\nA\u030a\t \r\n\r\n\r\n\r\nb\u200b\x07 ')).toBe('é\nÅ\n\nb')
    expect(normalise('e\u0301', { unicode: 'none', whitespace: true })).toBe('e\u0301')
    // Joiners belong to words of many scripts.
    expect(normalise('می\u200cخواهم')).toBe('می\u200cخواهم')
  })
  it('takes time that grows with the text alone', () => {
    const start = performance.now()
    normalise(`a${' '.repeat(200_000)}b`)
    normalise(`${' \n'.repeat(200_000)}b`)
    expect(performance.now() - start).toBeLessThan(3000)
  })
})

describe('maskPii', () => {
  it('masks addresses, and public IP addresses only', () => {
    const { text, counts } = maskPii(
      'Skriv til jens.hansen+x@example-site.dk, eller @jens; 8.8.8.8 og 192.168.1.1, version 1.2.3.4.5',
    )
    expect(text).toBe('Skriv til email@example.com, eller @jens; 192.0.2.1 og 192.168.1.1, version 1.2.3.4.5')
    expect(counts).toEqual({ email: 1, ip: 1 })
  })
  it('masks telephone and CPR numbers where they are asked for', () => {
    const all = { email: true, ip: true, phone: true, cpr: true }
    expect(maskPii('Ring 12 34 56 78 eller +45 12345678; cpr 010190-1234, 310290-1234 og 450190-1234', all)).toEqual({
      text: 'Ring +00 00 00 00 00 eller +00 00 00 00 00; cpr 000000-0000, 000000-0000 og 450190-1234',
      counts: { cpr: 2, phone: 2 },
    })
    expect(maskPii('12 34 56 78 og 010190-1234').counts).toEqual({})
  })
  it('takes time that grows with the text alone', () => {
    const start = performance.now()
    maskPii('a-'.repeat(200_000))
    maskPii(`${'a@'.repeat(100_000)}`)
    maskPii(`x@${'a.'.repeat(100_000)}`)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('Ledger', () => {
  it('says where the books do not balance', () => {
    const ledger = new Ledger()
    ledger.read('s', 10)
    ledger.quarantine('s', 'bad-json', 5)
    ledger.enter('s', 'read', 2, 10)
    ledger.pass('s', 'read', 2, 10)
    ledger.check()
    ledger.enter('s', 'quality', 2, 10)
    expect(() => ledger.check()).toThrow(
      /ledger of s at quality: 1 documents came, 1 were counted in, 0 out and 0 dropped/,
    )
    ledger.drop('s', 'quality', 'min_doc_words', 2, 10)
    ledger.check()
    ledger.quarantine('s', 'nul', 1)
    ledger.check()
    ledger.read('s', 1)
    expect(() => ledger.check()).toThrow(/at read: 2 documents came, 1 were/)
  })
})
