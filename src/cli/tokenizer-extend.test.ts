import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { command } from './tokenizer-extend.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-extend-'))
const at = (name: string): string => join(root, name)
let model: Awaited<ReturnType<typeof tinyModelDirectory>>
beforeAll(async () => {
  model = await tinyModelDirectory({ chatTemplate: '{{ messages[0].content }}' })
  writeFileSync(join(model.directory, 'merges.txt'), '#version\n')
  writeFileSync(join(model.directory, 'LICENSE'), 'Terms.\n')
  const rows = Array.from({ length: 600 }, (_, i) => ({ tekst: `Rødgrød nummer ${i} med fløde.` }))
  writeFileSync(at('da.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  writeFileSync(at('few.txt'), 'rødgrød med fløde og rødgrød med fløde')
})
afterAll(() => {
  model.remove()
  rmSync(root, { recursive: true })
})
const extend = (text: string, out: string, ...words: string[]): ReturnType<typeof runCommand> =>
  runCommand(command, [at(text), '--model', model.directory, '--out', at(out), ...words])

describe('anneal tokenizer extend', () => {
  it('writes a model with a row for each new token, which other tools read by the same files', async () => {
    const { code, out, err } = await extend('da.jsonl', 'large', '--new-tokens', '20', '--text-column', 'tekst')
    expect(code, err).toBe(0)
    const tokenizer = await Tokenizer.fromDirectory(at('large'))
    const grown = loadDecoder(at('large'), { device: 'cpu' })
    const before = loadDecoder(model.directory, { device: 'cpu' })
    const rows = Math.max(before.config.vocabSize, tokenizer.vocabSize)
    expect(tokenizer.vocabSize).toBe(261 + 20)
    expect(grown.config.vocabSize).toBe(rows)
    expect(JSON.parse(readFileSync(at('large/config.json'), 'utf8')).vocab_size).toBe(rows)
    const [old, now] = [before, grown].map((each) => each.model.embed_tokens.dense().toArray()) as [number[], number[]]
    const width = before.config.hiddenSize
    expect(now.slice(0, 261 * width)).toEqual(old.slice(0, 261 * width))
    for (const each of [before, grown]) each.free()
    const [, from, to] = /tokens a word ([\d.]+) → ([\d.]+), .*nothing was learnt from/.exec(out)!
    expect(Number(to)).toBeLessThan(Number(from) / 2)
    expect(out).toMatch(/20 new tokens from 600 documents: 261 → 281/)
    expect(out).toMatch(/most old tokens: .*[Rr]ødgrød/)
    // What tells of the old vocabulary would be believed; the rest comes along.
    expect(existsSync(at('large/merges.txt'))).toBe(false)
    expect(readFileSync(at('large/LICENSE'), 'utf8')).toBe('Terms.\n')
    expect(tokenizer.chatTemplate).toBe('{{ messages[0].content }}')
    const lineage = JSON.parse(readFileSync(at('large/lineage.json'), 'utf8'))
    expect(lineage.at(-1)).toMatchObject({ pass: 'extend-tokenizer', report: { new_tokens: 20, vocab_size: 281 } })
  })

  it('says where a text gives fewer tokens, and that few documents measure themselves', async () => {
    const { code, err } = await extend('few.txt', 'few', '--new-tokens', '500')
    expect(code, err).toBe(0)
    expect(err).toMatch(/notice: the text gives \d+ tokens of the 500 asked for/)
    expect(err).toMatch(/notice: fertility is measured on the text that tokens were learnt from, which has 1 document/)
  })

  it.each([
    ['text', 'nowhere.txt', [], 3, /nowhere\.txt/],
    ['a column', 'da.jsonl', [], 3, /field 'text' in .*da\.jsonl:1: expected a text, found columns tekst/],
    [
      'frequency',
      'few.txt',
      ['--min-frequency', '99'],
      3,
      /expected pairs of tokens that come 99 times or more, got none/,
    ],
    ['count', 'few.txt', ['--new-tokens', '0'], 2, /--new-tokens/],
  ])('refuses wrong %s in a line, and leaves nothing', async (_, text, words, expected, message) => {
    const { code, err } = await extend(text, 'refused', ...words)
    expect([code, err]).toEqual([expected, expect.stringMatching(message)])
    expect(existsSync(at('refused'))).toBe(false)
  })

  it('refuses a folder with files in it, its own model and a model without tokenizer', async () => {
    writeFileSync(at('full.txt'), 'x')
    expect((await extend('few.txt', '.')).err).toMatch(/--out: expected a new or empty folder/)
    const own = await runCommand(command, [at('few.txt'), '--model', model.directory, '--out', model.directory])
    expect(own.err).toMatch(/--out: expected another folder than `?--model/)
  })
})
