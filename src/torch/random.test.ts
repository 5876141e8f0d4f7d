import { describe, expect, it } from 'vitest'
import { NativeError } from '../errors.ts'
import { Generator, ops, type Tensor } from './index.ts'

const draw = (generator: Generator, count = 1000): Tensor => ops.normal_(ops.empty([count], 'f32'), 0, 1, generator)

describe('Generator', () => {
  it('repeats for a seed and differs between seeds', () => {
    const first = draw(new Generator(7)).toArray()
    expect(draw(new Generator(7)).toArray()).toEqual(first)
    expect(draw(new Generator(8)).toArray()).not.toEqual(first)
  })

  it('goes on from a saved state bit for bit', () => {
    const generator = new Generator(3)
    draw(generator, 7) // an odd number leaves half a pair behind, which is state, too
    const state = generator.getState()
    const wanted = [draw(generator, 5), draw(generator, 100)].map((x) => x.toArray())
    const other = new Generator(99)
    other.setState(state)
    expect([draw(other, 5), draw(other, 100)].map((x) => x.toArray())).toEqual(wanted)
    generator.setState(state)
    expect(draw(generator, 5).toArray()).toEqual(wanted[0])
  })

  it('does not touch other generators', () => {
    const [a, b] = [new Generator(1), new Generator(1)]
    draw(a)
    expect(draw(b, 10).toArray()).toEqual(draw(new Generator(1), 10).toArray())
  })

  it('draws a standard normal', () => {
    const x = draw(new Generator(1), 100_000)
    // The mean of n draws is within 4/√n, the variance within 4·√(2/n).
    expect(Math.abs(x.mean().item())).toBeLessThan(0.0127)
    expect(Math.abs(ops.square(x).mean().item() - 1)).toBeLessThan(0.0179)
  })

  it('shuffles and draws categories', () => {
    const order = ops.randperm(50, new Generator(2), 'i64').toArray()
    expect(order).not.toEqual([...order].sort((a, b) => a - b))
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i))
    const hits = ops
      .multinomial(ops.ones([2], 'f32'), 4000, true, new Generator(5))
      .sum()
      .item()
    expect(Math.abs(hits - 2000)).toBeLessThan(127) // 4 standard deviations of 31.6
  })

  it('refuses seeds and states that are none', () => {
    expect(() => new Generator(-1)).toThrow(RangeError)
    expect(() => new Generator(1.5)).toThrow(RangeError)
    expect(() => new Generator(1).setState(new Uint8Array(3))).toThrow(NativeError)
  })
})
