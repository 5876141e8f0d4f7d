// The order in which an epoch visits a dataset, as a pure function: position → index, in constant time and memory.
// Nothing is stored and nothing advances, so a run resumes at any position by asking for it.
// A Feistel network permutes the next power of four above the size; indices outside are walked back in
// (Black & Rogaway 2002, "Ciphers with arbitrary finite domains": cycle walking).

import { UsageError } from '../errors.ts'

/** The index that comes at `position` (0 ≤ position < size) of epoch `epoch`. */
export type Order = (epoch: number, position: number) => number

/** Enough for a permutation that no training run can tell from random, and still some 100 ns a call. */
const ROUNDS = 8
const MAX_SIZE = 2 ** 32

/** The shuffled order of `size` items under a seed (an integer ≥ 0). Every epoch has another order. */
export function order(size: number, seed: number): Order {
  if (!Number.isInteger(size) || size < 0 || size > MAX_SIZE) {
    throw new UsageError(`dataset size: expected an integer from 0 to ${MAX_SIZE}, got ${size}`)
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError(`seed: expected an integer from 0 to 2^53, got ${seed}`)
  }
  const halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, size)) / 2))
  let keysOf = -1
  let keys: Int32Array = new Int32Array()
  return (epoch, position) => {
    if (!(Number.isInteger(position) && position >= 0 && position < size)) {
      throw new UsageError(`position: expected an integer from 0 to ${size - 1}, got ${position}`)
    }
    // Only a memory of the last epoch's keys: the result never depends on earlier calls.
    if (epoch !== keysOf) keys = roundKeys(seed, epoch)
    keysOf = epoch
    let index = position
    do index = permute(index, halfBits, keys)
    while (index >= size)
    return index
  }
}

/** A bijection on 0 … 4^halfBits − 1. */
function permute(value: number, halfBits: number, keys: Int32Array): number {
  const mask = 2 ** halfBits - 1
  let left = Math.floor(value / 2 ** halfBits)
  let right = value & mask
  for (const key of keys) {
    const mixed = left ^ (mix(right ^ key) & mask)
    left = right
    right = mixed
  }
  return left * 2 ** halfBits + right
}

function roundKeys(seed: number, epoch: number): Int32Array {
  let state = mix(seed | 0)
  state = mix(state ^ Math.floor(seed / 2 ** 32))
  state = mix(state ^ epoch)
  state = mix(state ^ Math.floor(epoch / 2 ** 32))
  return Int32Array.from({ length: ROUNDS }, () => {
    // The golden ratio's bits keep a state of 0 from staying 0.
    state = mix((state + 0x9e3779b9) | 0)
    return state
  })
}

/** The finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(value: number): number {
  let x = value | 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}
