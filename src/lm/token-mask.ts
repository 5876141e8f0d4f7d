// A `TokenMask` of plain lists: what may come at a place, as bits; and several masks as one.

import type { TokenMask } from './lm.ts'

/** The bits of these ids, for a vocabulary of `vocabSize` tokens: what a `TokenMask` returns. Ids beyond it are left out. */
export function tokenBits(ids: Iterable<number>, vocabSize: number): Uint32Array {
  const words = new Uint32Array(Math.ceil(vocabSize / 32))
  for (const id of ids) if (id >= 0 && id < vocabSize) words[id >>> 5]! |= 1 << (id & 31)
  return words
}

/** Whether `bits` hold `id`. */
export function hasToken(bits: Uint32Array, id: number): boolean {
  return (((bits[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1
}

/** A mask that allows what all of these allow. Nothing is forced by it, though one of them may force: the tokens are asked for one by one. */
export function joinMasks(...masks: readonly TokenMask[]): TokenMask {
  return (made) => {
    let joined: Uint32Array | null = null
    for (const mask of masks) {
      const bits = mask(made)
      if (bits === null) continue
      joined = joined === null ? bits.slice() : joined.map((word, i) => word & (bits[i] ?? 0))
    }
    return joined
  }
}
