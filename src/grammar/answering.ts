// One answer of a grammar, within bounds: whatever a structure is, it may not stop the process that makes other texts too.

import { UsageError } from '../errors.ts'
import type { Expressions } from './expressions.ts'

/** What `question` finds, with steps of its own. UsageError where it takes too many, or is nested too deep to be followed. */
export function answering<T>(expressions: Expressions, question: () => T): T {
  expressions.begin()
  try {
    return question()
  } catch (cause) {
    // The only RangeError of these parts is a full stack.
    if (!(cause instanceof RangeError)) throw cause
    throw new UsageError(
      'grammar: expected parts that are not nested so deep. Make it smaller, or its rows of optional parts shorter',
      { cause },
    )
  }
}
