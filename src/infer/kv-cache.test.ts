import { describe, expect, it } from 'vitest'
import { memoryStats, scope, Tensor } from '../torch/index.ts'
import { GrowingCache } from './kv-cache.ts'

/** [rows, 1 head, tokens, 1] with the values given row by row. */
const tensor = (rows: number[][]): Tensor => Tensor.from(rows.flat(), [rows.length, 1, rows[0]!.length, 1])

describe('GrowingCache', () => {
  it('returns all keys and values so far, across growth', () => {
    const cache = new GrowingCache(2)
    const seen = [[1], [2, 3], [4, 5, 6, 7, 8]].map((part) =>
      scope(() => {
        const { key, value } = cache.append(0, tensor([part]), tensor([part.map((x) => -x)]))
        return [key.toArray(), value.toArray()]
      }),
    )
    expect(seen[2]).toEqual([
      [1, 2, 3, 4, 5, 6, 7, 8],
      [-1, -2, -3, -4, -5, -6, -7, -8],
    ])
    expect(cache.length).toBe(8)
    cache.free()
  })

  it('has the length of its last layer', () => {
    const cache = new GrowingCache()
    cache.append(0, tensor([[1]]), tensor([[1]]))
    cache.append(1, tensor([[1]]), tensor([[1]]))
    expect(cache.length).toBe(1)
    cache.free()
    expect(cache.length).toBe(0)
  })

  it('is as long as what every layer has, also after a pass that failed between two of them', () => {
    const cache = new GrowingCache()
    for (const layer of [0, 1]) cache.append(layer, tensor([[1, 2]]), tensor([[1, 2]]))
    cache.append(0, tensor([[3]]), tensor([[3]])) // and then the second layer fails
    expect(cache.length).toBe(2)
    cache.truncate(cache.length)
    for (const layer of [0, 1])
      expect(cache.append(layer, tensor([[4]]), tensor([[4]])).key.toArray()).toEqual([1, 2, 4])
    expect(cache.length).toBe(3)
    cache.free()
  })

  it('keeps chosen rows in their order', () => {
    const cache = new GrowingCache(4)
    cache.append(0, tensor([[1], [2], [3]]), tensor([[1], [2], [3]]))
    cache.selectRows(Tensor.from(BigInt64Array.of(2n, 0n)))
    const { key } = cache.append(0, tensor([[30], [10]]), tensor([[30], [10]]))
    expect(key.toArray()).toEqual([3, 30, 1, 10])
    cache.free()
  })

  it('forgets what is behind a length', () => {
    const cache = new GrowingCache(4)
    cache.append(0, tensor([[1, 2, 3]]), tensor([[1, 2, 3]]))
    cache.truncate(1)
    expect(cache.append(0, tensor([[9]]), tensor([[9]])).key.toArray()).toEqual([1, 9])
    cache.free()
  })

  it('leaves no tensor alive', () => {
    const before = memoryStats().liveTensors
    scope(() => {
      const cache = new GrowingCache(1)
      for (let i = 0; i < 5; i++) cache.append(0, tensor([[i]]), tensor([[i]]))
      cache.selectRows(Tensor.from(BigInt64Array.of(0n)))
      cache.free()
    })
    expect(memoryStats().liveTensors).toBe(before)
  })
})
