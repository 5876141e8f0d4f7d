import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { takeOutputDirectory } from '../files/output-directory.ts'
import { command } from './tokenizer-train.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-tokenizer-train-'))
afterAll(() => rmSync(directory, { recursive: true }))
const text = join(directory, 'text.txt')
writeFileSync(text, 'the cat sat on the mat, the cat sat.\n'.repeat(50))

const train = (out: string, ...words: string[]) => runCommand(command, [text, '--out', join(directory, out), ...words])

describe('anneal tokenizer train', () => {
  it.each([256, 257, 258])('says what a vocabulary of %i lacks', async (size) => {
    const { code, err } = await train('small', '--vocab-size', String(size))
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(`--vocab-size: expected at least 259 .256 bytes and 3 special tokens., got ${size}`),
    ])
  })

  it('counts the special tokens that are asked for, each once', async () => {
    const { code, err } = await train('more', '--vocab-size', '260', '--special', '<a>', '--special', '<b>')
    expect([code, err]).toEqual([2, expect.stringMatching(/at least 261 /)])
    expect((await train('same', '--vocab-size', '260', '--special', '<a>', '--special', '<a>')).code).toBe(0)
  })

  it('writes nothing into a folder that another run holds', async () => {
    const giveBack = takeOutputDirectory(join(directory, 'held'), 'output_dir')
    const { code, err } = await train('held', '--vocab-size', '259')
    giveBack()
    expect([code, err]).toEqual([2, expect.stringMatching(/--out: .*another run is writing \(process \d+/)])
  })

  it('says that a text gives fewer tokens than were asked for, and not where it gives them all', async () => {
    const { code, out, err } = await train('many', '--vocab-size', '5000')
    const got = Number(/^(\d+) tokens from 1 document →/m.exec(out)![1])
    expect([code, got < 5000]).toEqual([0, true])
    expect(err).toMatch(`the text gives ${got} tokens of the 5,000 asked for: no pair is left that comes 2 times`)
    expect((await train('exact', '--vocab-size', String(got))).err).not.toMatch('asked for')
  })

  it('leaves out as many bad lines as it is allowed to', async () => {
    const bad = join(directory, 'bad.jsonl')
    writeFileSync(bad, `${'{"text": "the cat sat"}\n'.repeat(20)}${'x\n'.repeat(2)}`)
    const run = (out: string, ...words: string[]) =>
      runCommand(command, [bad, '--out', join(directory, out), '--vocab-size', '260', ...words])
    expect((await run('strict')).err).toMatch(/expected at most 0.1 % bad, got 2 of 22 .*--max-bad-fraction/)
    const { code, err } = await run('lenient', '--max-bad-fraction', '0.2')
    expect([code, err]).toEqual([0, expect.stringMatching(/2 of 22 lines cannot be read and are left out/)])
  })

  it('trains the smallest vocabulary, and does not put another tokenizer in its place', async () => {
    const made = await train('least', '--vocab-size', '259')
    expect([made.code, made.out]).toEqual([0, expect.stringMatching(/^259 tokens/m)])
    const file = join(directory, 'least', 'tokenizer.json')
    const before = readFileSync(file)
    const { code, err } = await train('least', '--vocab-size', '300')
    expect([code, err]).toEqual([2, expect.stringMatching(/--out: expected a folder without a tokenizer/)])
    expect(readFileSync(file).equals(before)).toBe(true)
  })
})
