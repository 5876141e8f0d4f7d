// A `TokenMask` of plain lists: what may come at a place, as bits.

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
