import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UnsupportedError } from '../errors.ts'
import { backward, Generator, noGrad, ops, type Tensor } from '../torch/index.ts'
import { type AttendOptions, attend, type Mask, makeMask, type Visibility } from './attention.ts'

const everything: Visibility = { length: 4, window: null, segments: null }

/** Row by row from the definitions. */
function bruteForce({ length, window, segments }: Visibility): boolean[] {
  const sees: boolean[] = []
  for (let row = 0; row < (segments?.rows ?? 1); row++) {
    for (let query = 0; query < length; query++) {
      for (let key = 0; key < length; key++) {
        const isNear = window === null || query - key < window
        const isOwn = segments === null || segments.ids[row * length + key] === segments.ids[row * length + query]
        sees.push(key <= query && isNear && isOwn)
      }
    }
  }
  return sees
}

const matrix = (mask: Mask, { length }: Visibility): boolean[] => {
  if (typeof mask !== 'string') return mask.toArray().map(Boolean)
  return Array.from({ length: length * length }, (_, n) => n % length <= Math.floor(n / length))
}

describe('makeMask', () => {
  it('needs no tensor where order alone decides', () => {
    expect(makeMask(everything, 'cpu')).toBe('causal')
    expect(makeMask({ ...everything, window: 4 }, 'cpu')).toBe('causal')
  })

  it('sees a window that includes the token itself', () => {
    const mask = makeMask({ ...everything, window: 2 }, 'cpu') as Tensor
    expect(mask.shape).toEqual([1, 1, 4, 4])
    expect(mask.toArray()).toEqual([1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1])
  })

  it('hides other documents', () => {
    const segments = { ids: Int32Array.of(0, 0, 1), rows: 1 }
    const packed = makeMask({ ...everything, length: 3, segments }, 'cpu') as Tensor
    expect(packed.toArray()).toEqual([1, 0, 0, 1, 1, 0, 0, 0, 1])
  })

  it('agrees with the definitions for any window and documents', () => {
    const sizes = fc.record({
      length: fc.integer({ min: 1, max: 9 }),
      rows: fc.integer({ min: 1, max: 3 }),
      window: fc.option(fc.integer({ min: 1, max: 8 })),
      isPacked: fc.boolean(),
      seed: fc.infiniteStream(fc.nat(12)),
    })
    fc.assert(
      fc.property(sizes, ({ length, rows, window, isPacked, seed }) => {
        const next = (): number => seed.next().value
        const ids = Int32Array.from({ length: rows * length }, () => next() % 3)
        const visibility: Visibility = { length, window, segments: isPacked ? { ids, rows } : null }
        const wanted = bruteForce(visibility)
        const mask = matrix(makeMask(visibility, 'cpu'), visibility)
        // Without a tensor there is one row for all.
        for (const [i, sees] of wanted.entries()) expect(mask[i % mask.length]).toBe(sees)
      }),
      { numRuns: 300 },
    )
  })

  it('refuses documents for another number of tokens', () => {
    const segments = { ids: Int32Array.of(0, 1), rows: 1 }
    expect(() => makeMask({ ...everything, segments }, 'cpu')).toThrow(UnsupportedError)
  })
})

const random = (shape: number[], seed: number): Tensor =>
  ops.normal_(ops.empty(shape, 'f32'), 0, 1, new Generator(seed))

interface Shape {
  batch?: number
  heads: number
  groups: number
  queries: number
  keys: number
  dim?: number
}

/** Head by head from the definition, in f64. */
function definition(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  sees: (row: number, i: number, j: number) => boolean,
  scale: number,
  cap: number | null,
): number[] {
  const [batch, heads, queries, dim] = query.shape as [number, number, number, number]
  const [, groups, keys] = key.shape as [number, number, number, number]
  const [q, k, v] = [query.toArray(), key.toArray(), value.toArray()]
  const out: number[] = []
  for (let row = 0; row < batch; row++) {
    for (let head = 0; head < heads; head++) {
      const group = row * groups + Math.floor(head / (heads / groups))
      for (let i = 0; i < queries; i++) {
        const weights = Array.from({ length: keys }, (_, j) => {
          if (!sees(row, i, j)) return 0
          let score = 0
          for (let d = 0; d < dim; d++)
            score += q[((row * heads + head) * queries + i) * dim + d]! * k[(group * keys + j) * dim + d]!
          return Math.exp(cap === null ? score * scale : cap * Math.tanh((score * scale) / cap))
        })
        const total = weights.reduce((a, b) => a + b)
        for (let d = 0; d < dim; d++)
          out.push(weights.reduce((sum, weight, j) => sum + (weight / total) * v[(group * keys + j) * dim + d]!, 0))
      }
    }
  }
  return out
}

const inputsOf = ({ batch = 2, heads, groups, queries, keys, dim = 4 }: Shape): [Tensor, Tensor, Tensor] => [
  random([batch, heads, queries, dim], 1),
  random([batch, groups, keys, dim], 2),
  random([batch, groups, keys, dim], 3),
]

const plain: AttendOptions = { mask: 'causal', scale: 0.5, softcap: null, dropout: 0, generator: null }
// A cap so high that it changes nothing, to force the composed path.
const composed = { ...plain, softcap: 1e6 }

describe('attend', () => {
  const shapes: Shape[] = [
    { heads: 2, groups: 2, queries: 5, keys: 5 },
    { heads: 6, groups: 2, queries: 5, keys: 5 },
    { heads: 4, groups: 1, queries: 7, keys: 7, dim: 8 },
    { heads: 1, groups: 1, queries: 1, keys: 1 },
  ]

  it('is softmax(q kᵀ · scale) v of each head with its group’s keys', () => {
    for (const shape of shapes) {
      for (const scale of [0.5, 1.7]) {
        for (const softcap of [null, 2]) {
          const inputs = inputsOf(shape)
          const wanted = definition(...inputs, (_, i, j) => j <= i, scale, softcap)
          expect(attend(...inputs, { ...plain, scale, softcap })).toBeAllclose(wanted, { absolute: 1e-5 })
        }
      }
    }
  })

  it('gives the same by the fused operator and composed, for every mask', () => {
    const segments = { ids: Int32Array.of(0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3), rows: 2 }
    const base = { ...everything, length: 6 }
    const cases: Visibility[] = [base, { ...base, window: 3 }, { ...base, segments }, { ...base, segments, window: 2 }]
    for (const visibility of cases) {
      const inputs = inputsOf({ heads: 4, groups: 2, queries: 6, keys: 6 })
      const mask = makeMask(visibility, 'cpu')
      const sees = bruteForce(visibility)
      const wanted = definition(...inputs, (row, i, j) => sees[((row * 36) % sees.length) + i * 6 + j]!, 0.5, null)
      expect(attend(...inputs, { ...plain, mask })).toBeAllclose(wanted, { absolute: 1e-5 })
      expect(attend(...inputs, { ...composed, mask })).toBeAllclose(wanted, { absolute: 1e-5 })
    }
  })

  it('has the same gradients by both ways', () => {
    const grads = (options: AttendOptions): number[] => {
      const inputs = inputsOf({ heads: 4, groups: 2, queries: 6, keys: 6 })
      for (const input of inputs) input.requiresGrad = true
      const y = attend(...inputs, options)
      backward(y.mul(random(y.shape, 9)).sum())
      return inputs.flatMap((input) => input.grad!.toArray())
    }
    const mask = makeMask({ ...everything, length: 6, window: 3 }, 'cpu')
    expect(grads(plain)).toBeAllclose(grads(composed), { absolute: 1e-5 })
    expect(grads({ ...plain, mask })).toBeAllclose(grads({ ...composed, mask }), { absolute: 1e-5 })
  })

  it('drops attention weights in training only', () => {
    // With values of 1 a row's output is the sum of its kept weights / (1 − rate): 1 on average.
    const [query, key] = inputsOf({ batch: 8, heads: 4, groups: 2, queries: 32, keys: 32 })
    const ones = ops.ones([8, 2, 32, 4], 'f32')
    const y = attend(query, key, ones, { ...plain, dropout: 0.5, generator: new Generator(1) })
    expect(Math.abs(y.mean().item() - 1)).toBeLessThan(0.05)
    expect(y.toArray().some((value) => Math.abs(value - 1) > 0.1)).toBe(true)
    expect(attend(query, key, ones, { ...plain, dropout: 0.5 })).toBeAllclose(ops.onesLike(y))
  })

  it('computes in bf16 close to f32', () => {
    const inputs = inputsOf({ heads: 4, groups: 2, queries: 6, keys: 6 })
    const half = inputs.map((tensor) => tensor.to('bf16')) as [Tensor, Tensor, Tensor]
    noGrad(() => {
      for (const options of [plain, composed]) {
        const y = attend(...half, options)
        expect(y.dtype).toBe('bf16')
        expect(y).toBeAllclose(attend(...inputs, options), { absolute: 0.05 })
      }
    })
  })
})
