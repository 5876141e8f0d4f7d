// What people should hear of turns that are read all the same: keys that nobody reads, roles under names that are no format's, and
// weights between all and nothing, which a turn cannot have here.

import { isFields, OTHER_ROLE_NAMES, READ_KEYS, turnsIn, WEIGHT_KEYS } from './messages.ts'

/** A weight that counts as 1, and where in the list of turns it stands, such as `[1].weight`. */
export interface PartialWeight {
  readonly at: string
  readonly weight: number
}

/** What there is to say of one field of turns. */
export interface TurnNotes {
  readonly unreadKeys: readonly string[]
  readonly otherNames: readonly string[]
  readonly partialWeights: readonly PartialWeight[]
}

/** Notes on a turn, a list of them, or JSON of one. */
export function notesOnTurns(value: unknown): TurnNotes {
  const turns = turnsIn(value).filter(isFields)
  return {
    unreadKeys: turns.flatMap((turn) =>
      Object.keys(turn).filter((key) => !READ_KEYS.has(key) && (turn[key] ?? null) !== null),
    ),
    otherNames: turns
      .map((turn) => String(turn.role ?? turn.from))
      .filter((name) => Object.hasOwn(OTHER_ROLE_NAMES, name)),
    partialWeights: turns.flatMap((turn, i) =>
      [...WEIGHT_KEYS, 'loss'].flatMap((key) => {
        const weight = turn[key]
        return typeof weight === 'number' && weight !== 0 && weight !== 1 ? [{ at: `[${i}].${key}`, weight }] : []
      }),
    ),
  }
}
