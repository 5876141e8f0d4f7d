// Random numbers as a pure function of (seed, step): nothing advances, so a sequence draws the same numbers whatever is
// generated beside it. Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

/** A number in [0, 1) with 53 random bits; `seed` and `step` are integers from 0 to 2^53 − 1, `draw` is one below 2^32: of several in a step. */
export function uniform(seed: number, step: number, draw = 0): number {
  const [a, b] = philox4x32([step >>> 0, high(step), draw, 0], [seed >>> 0, high(seed)])
  return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53
}

type Words4 = [number, number, number, number]

/** Four random 32-bit words for a counter of four words and a key of two. */
export function philox4x32(counter: Readonly<Words4>, key: readonly [number, number]): Words4 {
  let [a, b, c, d] = counter
  let [left, right] = key
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(0xd2511f53, a)
    const highC = multiplyHigh(0xcd9e8d57, c)
    const lowA = Math.imul(0xd2511f53, a) >>> 0
    const lowC = Math.imul(0xcd9e8d57, c) >>> 0
    a = (highC ^ b ^ left) >>> 0
    b = lowC
    c = (highA ^ d ^ right) >>> 0
    d = lowA
    left = (left + 0x9e3779b9) >>> 0
    right = (right + 0xbb67ae85) >>> 0
  }
  return [a, b, c, d]
}

/** The upper 32 bits of a product of two unsigned 32-bit integers; every partial sum below fits a double exactly. */
function multiplyHigh(x: number, y: number): number {
  const [xHigh, xLow, yHigh, yLow] = [x >>> 16, x & 0xffff, y >>> 16, y & 0xffff]
  const first = xHigh * yLow + ((xLow * yLow) >>> 16)
  const second = xLow * yHigh + (first & 0xffff)
  return (xHigh * yHigh + (first >>> 16) + (second >>> 16)) >>> 0
}

const high = (integer: number): number => Math.floor(integer / 2 ** 32)
