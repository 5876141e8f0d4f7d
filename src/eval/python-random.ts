// CPython's `random.Random`: the Mersenne Twister (Matsumoto and Nishimura 1998) as Python seeds and reads it, so that a drawn few-shot
// example or a bootstrap sample is the one that lm-evaluation-harness draws.

const N = 624
const M = 397

/** A generator seeded as `random.Random(seed)`; `seed` is a whole number from 0 to 2^53. */
export class PythonRandom {
  readonly #state = new Uint32Array(N)
  #index = N

  constructor(seed: number) {
    const key = seed < 2 ** 32 ? [seed >>> 0] : [seed >>> 0, Math.floor(seed / 2 ** 32)]
    this.#seedByArray(key)
  }

  /** `random()`: 53 bits, in [0, 1). */
  random(): number {
    const a = this.#next() >>> 5
    const b = this.#next() >>> 6
    return (a * 67108864 + b) / 9007199254740992
  }

  /** `_randbelow(n)` for n up to 2^32. */
  below(n: number): number {
    const bits = 32 - Math.clz32(n)
    for (;;) {
      const value = bits === 0 ? 0 : this.#next() >>> (32 - bits)
      if (value < n) return value
    }
  }

  /** `sample(population, k)`. */
  sample<T>(population: readonly T[], k: number): T[] {
    const n = population.length
    if (!(k >= 0 && k <= n)) throw new RangeError(`sample of ${k} from ${n}`)
    const result: T[] = []
    let setSize = 21
    if (k > 5) setSize += 4 ** Math.ceil(Math.log(k * 3) / Math.log(4))
    if (n <= setSize) {
      const pool = [...population]
      for (let i = 0; i < k; i++) {
        const j = this.below(n - i)
        result.push(pool[j]!)
        pool[j] = pool[n - i - 1]!
      }
      return result
    }
    const chosen = new Set<number>()
    for (let i = 0; i < k; i++) {
      let j = this.below(n)
      while (chosen.has(j)) j = this.below(n)
      chosen.add(j)
      result.push(population[j]!)
    }
    return result
  }

  /** Places of `choices(xs, k=n)` for a population of n. */
  choiceIndices(n: number, into: Int32Array): Int32Array {
    for (let i = 0; i < into.length; i++) into[i] = Math.floor(this.random() * n)
    return into
  }

  /** `shuffle(list)`, in place. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const item = list[i]!
      list[i] = list[j]!
      list[j] = item
    }
    return list
  }

  #seedByArray(key: readonly number[]): void {
    const state = this.#state
    state[0] = 19650218
    for (let i = 1; i < N; i++) state[i] = Math.imul(1812433253, state[i - 1]! ^ (state[i - 1]! >>> 30)) + i
    let i = 1
    let j = 0
    const wrap = (): void => {
      if (++i < N) return
      state[0] = state[N - 1]!
      i = 1
    }
    for (let k = Math.max(N, key.length); k > 0; k--) {
      state[i] = (state[i]! ^ Math.imul(state[i - 1]! ^ (state[i - 1]! >>> 30), 1664525)) + key[j]! + j
      if (++j >= key.length) j = 0
      wrap()
    }
    for (let k = N - 1; k > 0; k--) {
      state[i] = (state[i]! ^ Math.imul(state[i - 1]! ^ (state[i - 1]! >>> 30), 1566083941)) - i
      wrap()
    }
    state[0] = 0x80000000
  }

  #next(): number {
    if (this.#index >= N) this.#refill()
    let y = this.#state[this.#index++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  #refill(): void {
    const state = this.#state
    for (let i = 0; i < N; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff)
      state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    this.#index = 0
  }
}
