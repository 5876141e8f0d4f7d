import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { SignatureFile, SignatureWriter } from './signature-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-signatures-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// Two whole blocks and a rest; one document in ten has no keys.
const BANDS = 3
const COUNT = 2 * 4096 + 77
const keyOf = (document: number, band: number): number => (document % 10 === 0 ? 0 : 10 * document + band)
const path = join(folder, 'a.signatures')
const written = writeFileAtomic(path, (sink) => {
  const writer = new SignatureWriter(sink, BANDS)
  for (let i = 0; i < COUNT; i++) {
    const hash = Buffer.alloc(16)
    hash.writeUInt32BE(i, 8)
    const keys = new Uint32Array(2 * BANDS)
    for (let band = 0; band < BANDS; band++) keys[2 * band] = keyOf(i, band)
    writer.add({
      hash,
      offset: i * 2 ** 33,
      length: i + 1,
      words: i + 2,
      bytes: i + 3,
      contaminated: i % 5,
      source: i % 4,
      keys: i % 10 === 0 ? undefined : new Uint8Array(keys.buffer),
    })
  }
  writer.flush()
})
const file = new SignatureFile(path, COUNT, BANDS)

it('gives back heads and keys, block by block and one by one', () => {
  file.check({ bytes: written.size, sha256: written.sha256 })
  let at = 0
  for (const heads of file.heads())
    for (let i = 0; i < heads.count; i++, at++) {
      expect([0, 1, 2, 3].map((word) => heads.hashWord(i, word))).toEqual([0, 0, at, 0])
      expect([heads.offset(i), heads.field(i, 'length'), heads.field(i, 'words')]).toEqual([
        at * 2 ** 33,
        at + 1,
        at + 2,
      ])
    }
  expect(at).toBe(COUNT)
  for (let band = 0; band < BANDS; band++) {
    let document = 0
    for (const keys of file.keys(band))
      for (let i = 0; i < keys.length; i += 2, document++)
        expect([keys[i], keys[i + 1]]).toEqual([keyOf(document, band), 0])
    expect(document).toBe(COUNT)
  }
  for (const document of [0, 4095, 4096, COUNT - 1]) {
    expect(file.head(document).field(0, 'bytes')).toBe(document + 3)
    expect(file.head(document).field(0, 'contaminated')).toBe(document % 5)
  }
})

it('refuses a file that is not the one that was written', () => {
  const mark = { bytes: written.size, sha256: written.sha256 }
  expect(() => file.check({ ...mark, sha256: '0'.repeat(64) })).toThrow(
    /signatures in .*expected what its manifest says/,
  )
  expect(() => new SignatureFile(path, COUNT - 1, BANDS).check(mark)).toThrow(/expected what its manifest says/)
  const short = join(folder, 'b.signatures')
  writeFileSync(short, '')
  expect(() => new SignatureFile(short, COUNT, BANDS).check(mark)).toThrow(/expected what its manifest says/)
  truncateSync(path, 100)
  expect(() => [...file.keys(0)]).toThrow(/expected what its manifest says/)
})
