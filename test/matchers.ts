// `expect(tensor).toBeAllclose(numbers)`: one comparison of numbers for all tests. Takes tensors, typed arrays, arrays and
// numbers; imports no engine, so that tests of the text side stay free of it.
import { expect } from 'vitest'

export interface Tolerance {
  /** Default 1e-6. */
  absolute?: number
  /** Of the expected number. Default 1e-5. */
  relative?: number
}

type Numbers = number | ArrayLike<number> | { toArray(): number[] }

interface AllcloseMatchers<R = unknown> {
  /** Each |received − expected| ≤ absolute + relative · |expected|; NaN equals NaN, infinities equal themselves. */
  toBeAllclose: (expected: Numbers, tolerance?: Tolerance) => R
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: the declaration that is extended has it so
  interface Matchers<T = any> extends AllcloseMatchers<T> {}
}

function numbersOf(value: Numbers): number[] {
  if (typeof value === 'number') return [value]
  return 'toArray' in value ? value.toArray() : Array.from(value)
}

expect.extend({
  toBeAllclose(received: Numbers, expected: Numbers, { absolute = 1e-6, relative = 1e-5 }: Tolerance = {}) {
    const ours = numbersOf(received)
    const theirs = numbersOf(expected)
    if (ours.length !== theirs.length) {
      return { pass: false, message: () => `expected ${theirs.length} numbers, got ${ours.length}` }
    }
    let worst = -1
    let excess = 0
    for (const [i, value] of ours.entries()) {
      const wanted = theirs[i]!
      if (Object.is(value, wanted) || value === wanted) continue
      const over = Math.abs(value - wanted) / (absolute + relative * Math.abs(wanted))
      if (over <= 1) continue
      if (worst < 0 || over > excess) [worst, excess] = [i, over]
    }
    return {
      pass: worst < 0,
      message: () =>
        worst < 0
          ? 'expected numbers further apart'
          : `at ${worst} of ${ours.length}: expected ${theirs[worst]}, got ${ours[worst]} (${excess.toPrecision(3)} times the tolerance)`,
    }
  },
})
