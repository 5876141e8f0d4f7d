import { afterEach, describe, expect, it } from 'vitest'
import { memoryStats, ops, Replay, scope, Tensor } from './index.ts'

const replay = new Replay()
afterEach(() => replay.free())

/** What `body` gives for each input, called through `replay`, and how often it was run by JavaScript. */
function called(inputs: readonly number[][], body: (x: Tensor) => Tensor): { values: number[][]; runs: number } {
  let runs = 0
  const values = inputs.map((input) =>
    scope(() => {
      const x = Tensor.from(input)
      const y = replay.run('key', [x], () => {
        runs++
        return scope(() => body(x))
      })
      return [...y.toArray()] as number[]
    }),
  )
  return { values, runs }
}
const inputs = [
  [1, 2],
  [3, 4],
  [-5, 6],
  [0.5, -7],
]

describe('Replay', () => {
  it('plays what two calls did, on other inputs', () => {
    const weight = Tensor.from([1, 2, 3, 4], [2, 2]).keep()
    const { values, runs } = called(inputs, (x) => {
      const y = weight.matmul(x).add(x) // [2]
      const [a, b] = ops.split(ops.cat([y, x, weight.view(4)], 0), 4) as [Tensor, Tensor]
      return a
        .mul(b.narrow(0, 0, 4))
        .sum([0], false)
        .view(1)
    })
    const expected = inputs.map(([a, b]) => {
      const y = [a! + 2 * b! + a!, 3 * a! + 4 * b! + b!, a!, b!]
      return [y.reduce((sum, value, i) => sum + value * (i + 1), 0)]
    })
    expect(values).toEqual(expected)
    expect(runs).toBe(2)
    weight.free()
  })

  it('writes where the calls wrote, and reads what was written there since', () => {
    const cache = ops.zeros([2], 'f32').keep()
    const seen: number[][] = []
    const { runs } = called(inputs, (x) => {
      cache.add_(x)
      return cache.mul(2)
    })
    expect([...cache.toArray()]).toEqual([-0.5, 5])
    cache.zero_()
    seen.push(...called([[1, 1]], (x) => x).values)
    expect(seen).toEqual([[2, 2]])
    expect(runs).toBe(2)
    cache.free()
  })

  it.each<[string, (x: Tensor) => Tensor]>([
    ['a number is read', (x) => x.mul(x.sum([0], false).item())],
    ['values are read', (x) => x.mul(x.toArray()[0]!)],
    [
      'a number changes',
      (
        (n) => (x: Tensor) =>
          x.mul(n++)
      )(1),
    ],
    [
      'a tensor is made of numbers',
      (
        (n) => (x: Tensor) =>
          x.mul(Tensor.from([n++, 1]))
      )(1),
    ],
    [
      'another operator comes',
      (
        (n) => (x: Tensor) =>
          n++ % 2 === 0 ? x.mul(2) : x.add(2)
      )(0),
    ],
    [
      'another tensor is taken',
      (
        (n) => (x: Tensor) =>
          x.add(constants[n++ % 2]!)
      )(0),
    ],
    ['the result is no result of them', () => constants[0]!],
  ])('leaves to JavaScript what is not the same each time: %s', (_, body) => {
    const { runs } = called(inputs, body)
    expect(runs).toBe(4)
  })

  it('ends a recording where the body fails, and keeps no tensor after free', () => {
    const before = memoryStats()
    scope(() => {
      const x = Tensor.from([1, 2])
      expect(() => replay.run('key', [x], () => x.matmul(Tensor.from([1, 2, 3])))).toThrow()
    })
    const { values } = called(inputs, (x) => scope(() => x.add(Tensor.from([1, 1])).mul(2)))
    expect(values[3]).toEqual([3, -12])
    const { runs } = called(inputs, (x) => x.add(1).mul(2))
    expect(runs).toBe(4) // the key was given up above
    replay.free()
    expect(called(inputs, (x) => x.add(1).mul(2)).runs).toBe(2)
    replay.free()
    expect(memoryStats().liveTensors).toBe(before.liveTensors)
    expect(memoryStats().liveBytes).toBe(before.liveBytes)
  })

  it('tells of an operator that fails while it is played', () => {
    called([inputs[0]!, inputs[1]!], (x) => x.view(2).mul(2))
    expect(() => called([[1, 2, 3]], (x) => x)).toThrow(/invalid for input of size 3/)
    expect(called([[1, 2]], (x) => x).values).toEqual([[2, 4]])
  })
})

const constants = [ops.ones([2], 'f32').keep(), ops.full([2], 3, 'f32').keep()]
