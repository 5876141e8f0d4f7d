// Times that somebody chooses, in seconds: what a timer of the system would take for no time at all is refused.

import { UsageError } from '../../errors.ts'

/** Longest time that a timer can be set to; a longer one ends at once. */
const LONGEST = 2_147_483

/** UsageError unless it is a time that a timer can be set to. */
export function checkSeconds(name: string, seconds: number): void {
  if (!(typeof seconds === 'number' && seconds > 0 && seconds <= LONGEST))
    throw new UsageError(`${name}: expected a number above 0 and at most ${LONGEST}, got ${String(seconds)}`)
}
