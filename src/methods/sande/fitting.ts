// Rows that fit the model's context with what is put into them: a trigger, soft tokens, a marker. Learnt positions end there, and rotary ones
// were not trained beyond.
import { UsageError } from '../../errors.ts'
import type { Watch } from '../../work.ts'

/** The places of `lengths` (tokens) of at most `longest`; a notice tells of the others, and UsageError where none is left. `what` is put in. */
export function fitting(lengths: readonly number[], longest: number, what: string, watch: Watch): number[] {
  const kept = [...lengths.keys()].filter((i) => lengths[i]! <= longest)
  const left = lengths.length - kept.length
  if (lengths.length > 0 && kept.length === 0)
    throw new UsageError(
      `data: expected rows that fit the model's context of ${longest} tokens with ${what} in them, got none. Give shorter ones`,
    )
  if (left > 0)
    watch.tell?.({
      type: 'notice',
      message: `${left} of ${lengths.length} rows to tune on do not fit the model's context of ${longest} tokens with ${what} in them, and are left out`,
    })
  return kept
}
