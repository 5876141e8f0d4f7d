import { describe, expect, it } from 'vitest'
import { Generator } from '../torch/index.ts'
import { withoutDropout } from './without-dropout.ts'

describe('withoutDropout', () => {
  it('puts the random numbers back after a value, an error and a promise of either', async () => {
    const generator = new Generator(1)
    const model: { generator: Generator | null } = { generator }
    expect(withoutDropout(model, () => model.generator)).toBeNull()
    expect(model.generator).toBe(generator)
    const fail = (): never => {
      throw new Error('no memory')
    }
    expect(() => withoutDropout(model, fail)).toThrow('no memory')
    expect(model.generator).toBe(generator)
    const later = async (end: () => unknown): Promise<unknown> => {
      await new Promise(setImmediate)
      expect(model.generator).toBeNull()
      return end()
    }
    expect(await withoutDropout(model, () => later(() => 7))).toBe(7)
    expect(model.generator).toBe(generator)
    await expect(withoutDropout(model, () => later(fail))).rejects.toThrow('no memory')
    expect(model.generator).toBe(generator)
  })
})
