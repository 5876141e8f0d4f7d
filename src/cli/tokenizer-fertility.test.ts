import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { trainBpe } from '../text/bpe.ts'
import { command } from './tokenizer-fertility.ts'

const root = mkdtempSync(join(tmpdir(), 'fertility-'))
const at = (name: string): string => join(root, name)
beforeAll(async () => {
  const texts = { da: 'solen skinner over marken og marken er grøn\n', en: 'the sun shines over the field\n' }
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(at(`${name}.txt`), text.repeat(20))
    const { tokenizer } = await trainBpe([text.repeat(20)], { vocabSize: 320 })
    mkdirSync(at(name))
    await tokenizer.save(at(name))
  }
})
afterAll(() => rmSync(root, { recursive: true }))

it('measures every tokenizer on every text, each best on its own language', async () => {
  const words = [at('da'), at('en'), '--text', `da=${at('da.txt')}`, '--text', at('en.txt'), '--json']
  const { code, out, err } = await runCommand(command, words)
  expect(code, err).toBe(0)
  const result = JSON.parse(out.trim().split('\n').at(-1)!).rows
  expect(result.map((row: Record<string, unknown>) => [row.tokenizer, row.text, row.language, row.words])).toEqual([
    [at('da'), at('da.txt'), 'da', 160],
    [at('en'), at('da.txt'), 'da', 160],
    [at('da'), at('en.txt'), undefined, 120],
    [at('en'), at('en.txt'), undefined, 120],
  ])
  const [da, foreign, english, own] = result.map(({ fertility }: { fertility: number }) => fertility)
  expect(da).toBeLessThan(foreign)
  expect(own).toBeLessThan(english)
})

it('says in one line what is missing', async () => {
  const none = await runCommand(command, [root, '--text', at('da.txt')])
  expect([none.code, none.err]).toEqual([
    3,
    expect.stringMatching(/expected a directory with tokenizer\.json, a \.gguf file or a name/),
  ])
  writeFileSync(at('dots.txt'), '... !!!\n')
  const dots = await runCommand(command, [at('da'), '--text', at('dots.txt')])
  expect([dots.code, dots.err]).toEqual([3, expect.stringMatching(/expected words, got 1 document without any/)])
})

it('says what is not there before it counts anything', async () => {
  const { code, out, err } = await runCommand(command, [at('da'), '--text', at('da.txt'), '--text', at('fi.txt')])
  expect([code, out]).toEqual([3, ''])
  expect(err).toMatch(/fi.txt: expected a file or directory, got nothing there/)
})
