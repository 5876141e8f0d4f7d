import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { InputError } from '../../errors.ts'
import { appendLineage, LINEAGE, type LineageStep, readLineage, writeLineage } from './lineage.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-lineage-'))
afterAll(() => rmSync(directory, { recursive: true }))

const pretrain: LineageStep = {
  pass: 'pretrain',
  options: { learning_rate: 1e-3 },
  report: { loss: 2.5 },
  date: '2026-01-02T03:04:05.000Z',
  annealVersion: '0.1.0',
}
const sleb: LineageStep = { ...pretrain, pass: 'sleb', options: { remove: 4 }, parentSha256: '0'.repeat(64) }

describe('lineage', () => {
  it('is empty for a model without one', () => {
    expect(readLineage(directory)).toEqual([])
  })

  it('lists the steps in the order they were added', () => {
    appendLineage(directory, pretrain)
    expect(appendLineage(directory, sleb)).toEqual([pretrain, sleb])
    expect(JSON.parse(readFileSync(join(directory, LINEAGE), 'utf8'))).toEqual([pretrain, sleb])
    expect(readdirSync(directory)).toEqual([LINEAGE])
  })

  it('takes reports as they are, also those of a version that spelled its figures otherwise', () => {
    const older: LineageStep = { ...pretrain, pass: 'lora', report: { modules: 4, trainableParameters: 512 } }
    const own = mkdtempSync(join(directory, 'older-'))
    writeFileSync(join(own, LINEAGE), JSON.stringify([older]))
    expect(appendLineage(own, sleb)).toEqual([older, sleb])
    rmSync(own, { recursive: true })
  })

  it('refuses to write a step that it would not read', () => {
    const before = readFileSync(join(directory, LINEAGE))
    expect(() => appendLineage(directory, { ...sleb, parentSha256: 'abc' })).toThrow(/lineage\.json:2\.parentSha256/)
    expect(() => writeLineage(directory, [{ ...sleb, date: 'yesterday' }])).toThrow(InputError)
    expect(readFileSync(join(directory, LINEAGE))).toEqual(before)
  })

  it.each(['{', '{}', '[{"pass":"x"}]', '[1]', 'null'])('refuses a file with %s', (text) => {
    writeFileSync(join(directory, LINEAGE), text)
    expect(() => readLineage(directory)).toThrow(InputError)
  })
})
