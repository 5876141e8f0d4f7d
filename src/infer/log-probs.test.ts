import { describe, expect, it } from 'vitest'
import { NonFiniteError } from '../errors.ts'
import { Generator, ops, scope, setThreads, Tensor } from '../torch/index.ts'
import { logProbs, tokenLogProbs } from './log-probs.ts'

/** Log softmax of a row, in f64. */
function logSoftmax(row: ArrayLike<number>): number[] {
  const values = Array.from(row)
  const top = values.reduce((a, b) => Math.max(a, b))
  const sum = values.reduce((total, value) => total + Math.exp(value - top), 0)
  return values.map((value) => value - top - Math.log(sum))
}

const rowsOf = (rows: number, width: number, seed = 1): Float32Array =>
  scope(() => ops.normal_(ops.empty([rows, width], 'f32'), 0, 4, new Generator(seed)).data() as Float32Array)

describe('logProbs', () => {
  // Below, at and beyond the sixteen lanes and the blocks of a sum, and a real vocabulary.
  it.each([1, 2, 15, 16, 17, 1023, 1024, 1025, 4999, 151_936])('is the log softmax: %i tokens', (width) => {
    const rows = 3
    const values = rowsOf(rows, width)
    const ids = [0, width - 1, width >> 1]
    const found = scope(() => logProbs(Tensor.from(values, [rows, width]), ids))
    for (const [n, id] of ids.entries()) {
      const expected = logSoftmax(values.subarray(n * width, (n + 1) * width))[id]!
      expect(Math.abs(found[n]! - expected)).toBeLessThan(1e-6)
    }
  })

  it('gives a row the same bits alone and among others, wherever it stands, with one thread and with two', () => {
    const [rows, width] = [37, 5003] // odd: rows begin anywhere in memory
    const values = rowsOf(rows, width)
    const ids = Array.from({ length: rows }, (_, n) => (n * 131) % width)
    const asked = { topLogprobs: 4, logprobTokenIds: [7, 3] }
    setThreads(1)
    const together = scope(() => tokenLogProbs(Tensor.from(values, [rows, width]), ids, asked))
    setThreads(2)
    expect(scope(() => tokenLogProbs(Tensor.from(values, [rows, width]), ids, asked))).toEqual(together)
    for (const [n, id] of ids.entries()) {
      const row = Tensor.from(values.slice(n * width, (n + 1) * width), [1, width])
      expect(tokenLogProbs(row, [id], asked)).toEqual([together[n]])
      expect(logProbs(row, [id])[0]).toBe(together[n]!.logprob)
      row.free()
    }
  })

  it('refuses rows without a softmax', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => scope(() => logProbs(Tensor.from([1, bad, 2], [1, 3]), [0]))).toThrow(NonFiniteError)
    const none = Tensor.from([-1 / 0, -1 / 0], [1, 2])
    expect(() => logProbs(none, [0])).toThrow(NonFiniteError)
    none.free()
  })
})

describe('tokenLogProbs', () => {
  it('names the most probable tokens, equal ones by id, and those that are asked for', () => {
    const row = [1, 4, 2, 4, Number.NEGATIVE_INFINITY].map((weight) => (weight > 0 ? Math.log(weight) : weight))
    const [place] = scope(() =>
      tokenLogProbs(Tensor.from(row, [1, 5]), [2], { topLogprobs: 3, logprobTokenIds: [4, 0] }),
    )
    expect(place!.top.map(({ id }) => id)).toEqual([1, 3, 2])
    expect(place!.named!.map(({ id }) => id)).toEqual([4, 0])
    expect(place!.logprob).toBeCloseTo(Math.log(2 / 11), 6)
    expect(place!.top[0]!.logprob).toBeCloseTo(Math.log(4 / 11), 6)
    expect(place!.top[2]!.logprob).toBe(place!.logprob) // float for float
    expect(place!.named![0]!.logprob).toBe(Number.NEGATIVE_INFINITY)
    expect(place!.named![1]!.logprob).toBeCloseTo(Math.log(1 / 11), 6)
  })

  it('tells of the token alone where nothing is asked', () => {
    const [place] = scope(() => tokenLogProbs(Tensor.from([0, 0], [1, 2]), [1]))
    expect(place).toEqual({ id: 1, logprob: expect.closeTo(-Math.LN2, 7), top: [] })
  })
})
