import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { tinyEncoderDirectory } from '../../test/tiny-encoder.ts'
import { command } from './classify.ts'

describe.each(['bert-classify', 'roberta-classify', 'modernbert-classify-mean', 'llama-classify'])(
  'anneal classify of %s',
  (name) => {
    const { directory, remove } = tinyEncoderDirectory(name)
    afterAll(remove)
    const golden = JSON.parse(readFileSync(join(directory, 'expected.json'), 'utf8'))
    const anneal = (...words: string[]) => runCommand(command, ['--model', directory, '--device', 'cpu', ...words])
    const file = (content: string): string => {
      const path = join(directory, 'input')
      writeFileSync(path, content)
      return path
    }

    it('gives the logits of Transformers for rows of unequal length', async () => {
      const rows = golden.input_ids.map((row: number[], i: number) =>
        row.filter((_, j) => golden.attention_mask[i][j] === 1),
      )
      expect(rows[0].length).not.toBe(rows[1].length)
      const { code, out, err } = await anneal('--ids', file(JSON.stringify(rows)), '--json')
      expect(code, err).toBe(0)
      const result = JSON.parse(out)
      expect(Object.keys(result)).toEqual(['labels', 'probabilities', 'logits'])
      for (const [i, row] of golden.logits.entries()) {
        const sum = row.reduce((total: number, logit: number) => total + Math.exp(logit), 0)
        for (const [j, logit] of row.entries()) {
          expect(Math.abs(result.logits[i][j] - logit)).toBeLessThan(1e-4)
          expect(result.probabilities[i][j]).toBeCloseTo(Math.exp(logit) / sum, 4)
        }
        expect(result.labels[i]).toBe(['no', 'perhaps', 'yes'][row.indexOf(Math.max(...row))])
      }
      const alone = await anneal('--ids', file(JSON.stringify([rows[1]])), '--json', '--batch-size', '1')
      for (const [j, logit] of JSON.parse(alone.out).logits[0].entries())
        expect(logit).toBeCloseTo(result.logits[1][j], 4)
    })

    it('reads a text in each line, in the order of the file', async () => {
      const { code, out, err } = await anneal('--text', file('the sun and the bus\nvos\n'))
      expect(code, err).toBe(0)
      expect(out).toMatch(
        /^\d\.\d{3} {2}(?:no|perhaps|yes) {2}the sun and the bus\n\d\.\d{3} {2}(?:no|perhaps|yes) {2}vos\n$/,
      )
      const two = JSON.parse((await anneal('--text', file('the sun and the bus\nvos\n'), '--json')).out)
      const second = JSON.parse((await anneal('--text', file('vos'), '--json')).out)
      for (const [j, logit] of second.logits[0].entries()) expect(logit).toBeCloseTo(two.logits[1][j], 4)
    })

    it.each([
      ['neither a text nor ids', () => [], 2, /--text: expected either it or --ids, got neither/],
      [
        'an empty line',
        () => ['--text', file('a\n\nb\n')],
        3,
        /input:2: expected a text in each line, got an empty line/,
      ],
      ['an empty file', () => ['--text', file('')], 3, /input: expected a text in each line, got an empty file/],
      [
        'an id beyond the vocabulary',
        () => ['--ids', file('[[1, 96]]')],
        3,
        /input:\[0\]\[1\]: expected a token id below 96, got 96/,
      ],
    ])('refuses %s', async (_, words, expected, message) => {
      const { code, err, out } = await anneal(...words())
      expect(code).toBe(expected)
      expect(err).toMatch(message)
      expect(out).toBe('')
    })
  },
)

it('cuts a text at the window and says so, and refuses ids beyond it', async () => {
  const { directory, remove } = tinyEncoderDirectory('bert-classify')
  const path = join(directory, 'input')
  const anneal = (...words: string[]) => runCommand(command, ['--model', directory, '--device', 'cpu', ...words])
  writeFileSync(path, `${'sun '.repeat(50)}\nsun\n`)
  const { code, err } = await anneal('--text', path)
  expect(code).toBe(0)
  expect(err).toContain(
    '1 text of 2 is longer than the 40 tokens that the model reads and was cut there (the longest has 52)',
  )
  writeFileSync(path, JSON.stringify([[2], Array(41).fill(5)]))
  expect((await anneal('--ids', path)).err).toMatch(
    /input:\[1\]: expected at most 40 token ids, which is what the model reads, got 41/,
  )
  remove()
})

it('refuses a model without labels', async () => {
  const { directory, remove } = tinyEncoderDirectory('bert-mlm')
  const text = join(directory, 'lines.txt')
  writeFileSync(text, 'sun\n')
  const { code, err } = await runCommand(command, ['--model', directory, '--text', text])
  expect(code).toBe(3)
  expect(err).toMatch(
    /expected a classifier, whose config\.json names a class …ForSequenceClassification, got another model/,
  )
  remove()
})

it('takes no table for lines of text', async () => {
  const { code, err } = await runCommand(command, ['--model', 'any', '--text', 'rows.csv'])
  expect(code).toBe(2)
  expect(err).toMatch(/rows\.csv, a table \(\.csv\), whose every line would be read as a text/)
})
