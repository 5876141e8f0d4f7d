// The operator over block tables, against the definition in f64, and its promise: no row's bits depend on what else is in the call.
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { DEVICE } from '../../test/device.ts'
import type { AttendCached } from '../nn/attention.ts'
import { type DType, Generator, ops, scope, setThreads, Tensor } from '../torch/index.ts'
import { type CachedText, PagedCache } from './paged-cache.ts'

interface Heads {
  heads: number
  groups: number
  dim: number
}

/** What tokens of a text bring: q [n, H, D], k and v [n, G, D], the same for the same text and place. */
class Source {
  readonly q: Float32Array
  readonly k: Float32Array
  readonly v: Float32Array
  readonly shape: Heads

  constructor(seed: number, tokens: number, shape: Heads) {
    const numbers = (stream: number, count: number): Float32Array =>
      ops.normal_(ops.empty([count], 'f32'), 0, 1, new Generator(10 * seed + stream)).data() as Float32Array
    this.shape = shape
    this.q = numbers(0, tokens * shape.heads * shape.dim)
    this.k = numbers(1, tokens * shape.groups * shape.dim)
    this.v = numbers(2, tokens * shape.groups * shape.dim)
  }

  rows(of: 'q' | 'k' | 'v', begin: number, end: number): number[] {
    const width = (of === 'q' ? this.shape.heads : this.shape.groups) * this.shape.dim
    return Array.from(this[of].subarray(begin * width, end * width))
  }
}

const how = (more: Partial<AttendCached> = {}): AttendCached => ({
  rotary: null,
  scale: 0.3,
  window: null,
  softcap: null,
  ...more,
})

/** Output of token `at`, from the definition. */
function definition({ shape, q, k, v }: Source, at: number, { scale, window, softcap }: AttendCached): number[] {
  const { heads, groups, dim } = shape
  const out: number[] = []
  for (let head = 0; head < heads; head++) {
    const group = Math.floor(head / (heads / groups))
    const first = window === null ? 0 : Math.max(0, at - window + 1)
    const weights = Array.from({ length: at + 1 }, (_, key) => {
      if (key < first) return 0
      let score = 0
      for (let d = 0; d < dim; d++) score += q[(at * heads + head) * dim + d]! * k[(key * groups + group) * dim + d]!
      return Math.exp(softcap === null ? score * scale : softcap * Math.tanh((score * scale) / softcap))
    })
    const total = weights.reduce((a, b) => a + b)
    for (let d = 0; d < dim; d++)
      out.push(weights.reduce((sum, w, key) => sum + (w / total) * v[(key * groups + group) * dim + d]!, 0))
  }
  return out
}

/** Texts that grow in one cache, and what the operator gives them. */
class Texts {
  readonly cache: PagedCache
  readonly sources: Source[]
  readonly texts: CachedText[]
  readonly outputs: number[][]
  readonly #how: AttendCached
  readonly #dtype: DType

  constructor(sources: Source[], how: AttendCached, { cache, dtype = 'f32' }: { cache?: DType; dtype?: DType } = {}) {
    const computed = { dtype, device: DEVICE }
    this.cache = new PagedCache({ windows: [how.window], tokens: 4096, dtype: cache, computed })
    this.sources = sources
    this.texts = sources.map(() => this.cache.open([]))
    this.outputs = sources.map(() => [])
    this.#how = how
    this.#dtype = dtype
  }

  /** Text i goes on by `counts[i]` tokens, all in one call. */
  grow(counts: readonly number[]): void {
    const parts = counts.flatMap((count, i) => (count > 0 ? [{ text: this.texts[i]!, count, i }] : []))
    const { heads, groups, dim } = this.sources[0]!.shape
    scope(() => {
      for (const { text, count } of parts) expect(this.cache.reserve(text, count)).toBe(true)
      const rows = parts.reduce((sum, { count }) => sum + count, 0)
      const tensor = (of: 'q' | 'k' | 'v', each: number): Tensor => {
        const values = parts.flatMap(({ text, count, i }) =>
          this.sources[i]!.rows(of, text.length, text.length + count),
        )
        return Tensor.from(values, [1, rows, each, dim]).to(this.#dtype).to(DEVICE)
      }
      const step = this.cache.step(parts)
      const y = step.attend(0, tensor('q', heads), tensor('k', groups), tensor('v', groups), this.#how)
      expect(y.shape).toEqual([1, rows, heads * dim])
      const values = y.toArray()
      let at = 0
      for (const { count, i } of parts) {
        this.outputs[i]!.push(...values.slice(at, at + count * heads * dim))
        at += count * heads * dim
      }
    })
    for (const { text, count, i } of parts)
      this.cache.commit(
        text,
        Array.from({ length: count }, (_, n) => 1000 * i + text.length + n),
      )
  }

  free(): void {
    this.cache.free()
  }
}

const shapes: Heads[] = [
  { heads: 2, groups: 2, dim: 8 },
  { heads: 6, groups: 2, dim: 16 },
  { heads: 9, groups: 3, dim: 64 },
  { heads: 4, groups: 1, dim: 20 },
  { heads: 3, groups: 3, dim: 7 },
  { heads: 8, groups: 1, dim: 80 },
]

afterEach(() => setThreads(1))

describe('paged attention', () => {
  it('is softmax(q kᵀ · scale) v over all blocks, with windows and caps', () => {
    for (const shape of shapes) {
      for (const more of [{}, { window: 5 }, { window: 21 }, { softcap: 2 }, { window: 33, softcap: 3, scale: 1 }]) {
        const source = new Source(3, 40, shape)
        const options = how(more)
        const texts = new Texts([source], options)
        for (const count of [1, 17, 1, 1, 20]) texts.grow([count])
        const wanted = Array.from({ length: 40 }, (_, at) => definition(source, at, options)).flat()
        expect(texts.outputs[0]).toBeAllclose(wanted, { absolute: 2e-5 })
        texts.free()
      }
    }
  })

  it('gives a text the same bits alone and beside others, in pieces of any size, on one thread and on several', () => {
    const pieces = fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 })), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(
        fc.constantFrom(...shapes),
        fc.constantFrom(null, 6, 40),
        pieces,
        fc.constantFrom<DType>('f32', 'f16'),
        (shape, window, counts, cache) => {
          const options = how({ window })
          const sources = [new Source(1, 170, shape), new Source(2, 170, shape)]
          const together = new Texts(sources, options, { cache })
          setThreads(2)
          for (const count of counts) together.grow(count)
          setThreads(1)
          for (const [i, source] of sources.entries()) {
            const alone = new Texts([source], options, { cache })
            const length = counts.reduce((sum, count) => sum + count[i]!, 0)
            for (let at = 0; at < length; at++) alone.grow([1])
            if (DEVICE === 'cpu') expect(together.outputs[i]).toEqual(alone.outputs[0])
            else expect(together.outputs[i]).toBeAllclose(alone.outputs[0]!, { absolute: 1e-4 })
            alone.free()
          }
          together.free()
        },
      ),
      { numRuns: 40 },
    )
  })

  it('rotates queries and keys as the rope operator does, partly too', () => {
    const [source, n] = [new Source(4, 20, { heads: 4, groups: 2, dim: 16 }), 20]
    for (const half of [8, 4]) {
      const angles = ops.normal_(ops.empty([n, half], 'f32'), 0, 1, new Generator(5)).to(DEVICE)
      const rotary = { cos: ops.cos(angles), sin: ops.sin(angles) }
      const rope = (of: 'q' | 'k', each: number): Float32Array =>
        ops
          .rope(Tensor.from(source.rows(of, 0, n), [1, n, each, 16]).to(DEVICE), rotary.cos, rotary.sin)
          .data() as Float32Array
      const turned = Object.assign(Object.create(Source.prototype), source, { q: rope('q', 4), k: rope('k', 2) })
      const texts = new Texts([source], how({ rotary }))
      texts.grow([n])
      const wanted = Array.from({ length: n }, (_, at) => definition(turned, at, how())).flat()
      expect(texts.outputs[0]).toBeAllclose(wanted, { absolute: 2e-5 })
      texts.free()
    }
  })

  it('gives the same by the kernels and by operators of LibTorch', () => {
    const source = new Source(6, 50, { heads: 6, groups: 2, dim: 20 })
    for (const more of [{}, { window: 7 }, { softcap: 2 }]) {
      const options = how(more)
      const [fast, composed] = [{}, { dtype: 'f64' as const }].map((as) => new Texts([source], options, as))
      for (const texts of [fast!, composed!]) for (const count of [30, 1, 19]) texts.grow([count])
      expect(fast!.outputs[0]).toBeAllclose(composed!.outputs[0]!, { absolute: 2e-5 })
      for (const texts of [fast!, composed!]) texts.free()
    }
  })

  it('keeps keys and values in f16 close to f32', () => {
    const source = new Source(7, 60, { heads: 6, groups: 2, dim: 32 })
    const texts = new Texts([source], how(), { cache: 'f16' })
    texts.grow([60])
    const wanted = Array.from({ length: 60 }, (_, at) => definition(source, at, how())).flat()
    const error = Math.hypot(...texts.outputs[0]!.map((value, i) => value - wanted[i]!)) / Math.hypot(...wanted)
    expect(error).toBeGreaterThan(1e-6)
    expect(error).toBeLessThan(1e-3)
    texts.free()
  })

  it('does not read what nobody wrote, and says NaN where there is one', () => {
    const source = new Source(8, 20, { heads: 2, groups: 1, dim: 16 })
    const texts = new Texts([source], how())
    texts.grow([5])
    source.v[5 * 16] = Number.NaN
    texts.grow([3])
    const { outputs } = texts
    expect(outputs[0]!.slice(0, 5 * 32).every(Number.isFinite)).toBe(true)
    expect(outputs[0]![5 * 32]).toBeNaN()
    expect(outputs[0]![5 * 32 + 1]).not.toBeNaN()
    texts.free()
  })

  it('refuses rows outside their tables and blocks that there are not', () => {
    const blocks = ops.zeros([2, 1, 8, 16], 'f32')
    const values = ops.zeros([2, 1, 16, 16], 'f32')
    const one = ops.zeros([1, 1, 8], 'f32')
    const run = (table: number[], row: number[]): Tensor =>
      ops.pagedAttention(
        one,
        one,
        one,
        null,
        null,
        blocks,
        values,
        Tensor.from(Int32Array.from(table), [1, table.length]),
        Tensor.from(Int32Array.from(row), [1, 2]),
        1,
      )
    expect(() => run([0], [0, 16])).toThrow(/rows inside their tables/)
    expect(() => run([0], [1, 0])).toThrow(/rows inside their tables/)
    expect(() => run([2], [0, 0])).toThrow(/blocks that there are/)
    expect(() => run([-1], [0, 3])).toThrow(/blocks that there are/)
    expect(run([1], [0, 3]).shape).toEqual([1, 8])
  })
})
