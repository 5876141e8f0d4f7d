// A set of bytes: 256 bits in eight words.

export type ByteSet = readonly number[]

/** The bytes of these ranges, both ends included. */
export function byteSet(ranges: Iterable<readonly [from: number, to: number]>): ByteSet {
  const words = Array.from({ length: 8 }, () => 0)
  for (const [from, to] of ranges) for (let byte = from; byte <= to; byte++) words[byte >> 5]! |= 1 << (byte & 31)
  return words
}

export function hasByte(set: ByteSet, byte: number): boolean {
  return ((set[byte >> 5]! >>> (byte & 31)) & 1) === 1
}

export function joinBytes(one: ByteSet, other: ByteSet): ByteSet {
  return one.map((word, i) => word | other[i]!)
}
