import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { tinyModelDirectory } from '../../test/tiny-model.ts'
import { command, summarise } from './score.ts'

const golden = JSON.parse(
  readFileSync(new URL('../../test/fixtures/models/llama/expected.json', import.meta.url), 'utf8'),
)

describe('summarise', () => {
  it('is the mean over the tokens that have a log-probability', () => {
    const scores = [[null, -1, -2], [null], [null, -6]]
    expect(summarise(scores)).toEqual({ loss: 3, perplexity: Math.exp(3), tokens: 3 })
  })

  it('has no mean of nothing', () => {
    expect(summarise([[null]])).toEqual({ loss: null, perplexity: null, tokens: 0 })
  })
})

describe('anneal score', async () => {
  const { directory, remove } = await tinyModelDirectory()
  afterAll(remove)
  const anneal = (...words: string[]) => runCommand(command, ['--model', directory, ...words])
  const file = (content: string | Uint8Array): string => {
    const path = join(directory, 'input')
    writeFileSync(path, content)
    return path
  }

  it('gives the loss and the log-probabilities of Transformers', async () => {
    const { code, out } = await anneal('--ids', file(JSON.stringify(golden.input_ids)), '--json')
    const result = JSON.parse(out)
    expect(code).toBe(0)
    expect(Object.keys(result)).toEqual(['token_ids', 'token_texts', 'token_logprobs', 'loss', 'perplexity', 'tokens'])
    expect(result.loss).toBeCloseTo(golden.loss, 5)
    expect(result.perplexity).toBeCloseTo(Math.exp(golden.loss), 1)
    expect(result.tokens).toBe(78)
    for (const [i, row] of result.token_logprobs.entries()) {
      expect(row[0]).toBeNull()
      for (const [j, value] of row.slice(1).entries())
        expect(Math.abs(value - golden.token_logprobs[i][j])).toBeLessThan(1e-4)
    }
  })

  it('scores a text after the start token, in one line for people', async () => {
    const { out } = await anneal('--text', file('Hello'))
    expect(out).toMatch(/^loss \d\.\d{4} {2}perplexity [\d.]+ {2}tokens 5\n$/)
    const ids = [1, ...Array.from(Buffer.from('Hello'), (byte) => byte + 5)]
    // Byte-level ids follow the alphabet, which for ASCII letters is the byte itself.
    const direct = JSON.parse((await anneal('--ids', file(JSON.stringify([ids])), '--json')).out)
    expect(out).toContain(`loss ${direct.loss.toFixed(4)}`)
  })

  it('says which token each number belongs to, also one that is half a character', async () => {
    const { token_ids, token_texts, token_logprobs } = JSON.parse((await anneal('--text', file('Hé'), '--json')).out)
    expect(token_texts).toEqual([['<s>', 'H', '\ufffd', '\ufffd']])
    expect([token_ids[0].length, token_logprobs[0].length]).toEqual([4, 4])
  })

  it('scores a text longer than the context', async () => {
    const { out } = await anneal('--text', file('word '.repeat(300)), '--json')
    expect(JSON.parse(out).tokens).toBe(1500)
  })

  it('names the most probable tokens of each place with --top, whose numbers are those of the scores', async () => {
    const words = ['--ids', file(JSON.stringify(golden.input_ids)), '--json']
    const plain = JSON.parse((await anneal(...words)).out)
    const { top_logprobs, ...rest } = JSON.parse((await anneal(...words, '--top', '320')).out)
    expect(rest).toEqual(plain)
    for (const [i, row] of top_logprobs.entries()) {
      expect(row[0]).toBeNull()
      for (const [j, top] of row.entries()) {
        if (top === null) continue
        const numbers = top.map(({ logprob }: { logprob: number }) => logprob)
        expect(numbers).toEqual([...numbers].sort((a, b) => b - a))
        const own = top.find(({ id }: { id: number }) => id === golden.input_ids[i][j])
        expect(own.logprob).toBe(plain.token_logprobs[i][j])
      }
    }
    expect((await anneal(...words.slice(0, 2), '--top', '3')).err).toContain('--top: expected --json with it')
  })

  it('has no loss for single tokens', async () => {
    expect(JSON.parse((await anneal('--ids', file('[[5],[6]]'), '--json')).out)).toEqual({
      token_ids: [[5], [6]],
      token_texts: [[expect.any(String)], [expect.any(String)]],
      token_logprobs: [[null], [null]],
      loss: null,
      perplexity: null,
      tokens: 0,
    })
  })

  it.each([
    ['[[1, 2', 'expected lists of token ids, [[1, 2, …], …], got no JSON'],
    ['[]', 'expected lists of token ids'],
    ['{"ids": [1]}', 'got {"ids":[1]}'],
    ['[1, 2]', ':[0]: expected a list of at least one token id, got 1'],
    ['[[1], []]', ':[1]: expected a list of at least one token id, got []'],
    ['[[1, "2"]]', ':[0][1]: expected a token id, got "2"'],
    ['[[1, -2]]', ':[0][1]: expected a token id, got -2'],
    ['[[1, 2.5]]', ':[0][1]: expected a token id, got 2.5'],
    ['[[1, 320]]', ':[0][1]: expected a token id below 320, got 320'],
    ['[[1, 1e30]]', ':[0][1]: expected a token id, got 1e+30'],
  ])('answers ids %s with one line', async (content, message) => {
    const { code, out, err } = await anneal('--ids', file(content), '--json')
    expect([code, out]).toEqual([3, ''])
    expect(err).toMatch(/^error: .*\n$/)
    expect(err).toContain(message)
  })

  it.each([
    [[], 2, 'got neither'],
    [['--text', 'a', '--ids', 'b'], 2, 'got both'],
    [['--ids', '/nonexistent/none'], 3, 'expected a file, got nothing'],
    [['--window', '1'], 2, '--window'],
  ])('answers %j with one line', async (words, code, message) => {
    const result = await anneal(...words)
    expect(result.code).toBe(code)
    expect(result.err).toContain(message)
  })
})
