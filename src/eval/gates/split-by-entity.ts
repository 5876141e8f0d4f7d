// Questions in parts that know nothing of each other.
import { UsageError } from '../../errors.ts'
import { PythonRandom } from '../python-random.ts'
import { grouped } from './gate-record.ts'

/** How large the parts are. */
export interface SplitOptions {
  /** The share of each part; they sum up to at most 1, and the last part takes the rest. Default 0.6, 0.15, 0.25. */
  shares?: readonly number[]
  /** Default 0. */
  seed?: number
}

/**
 * Parts of which no two have a question about the same entity: names that were seen while fitting would say more than a new one does. A
 * record without an entity is alone. Same seed, same parts. UsageError for shares above 1, and for fewer entities than parts.
 *
 * @example
 * const [train, validation, test] = splitByEntity(records)
 */
export function splitByEntity<R extends { entity?: string }>(
  records: readonly R[],
  { shares = [0.6, 0.15, 0.25], seed = 0 }: SplitOptions = {},
): R[][] {
  if (shares.some((share) => !(share > 0)) || shares.reduce((sum, share) => sum + share, 0) > 1 + 1e-9)
    throw new UsageError(`shares: expected numbers above 0 that sum up to at most 1, got ${shares.join(', ')}`)
  const places = grouped([...records.keys()], (i) => records[i]!.entity ?? `\0${i}`)
  if (places.size < shares.length)
    throw new UsageError(`records: expected at least ${shares.length} entities, one for each part, got ${places.size}`)
  const groups = new PythonRandom(seed).shuffle([...places.values()])
  const ends = shares.map((_, k) => shares.slice(0, k + 1).reduce((sum, share) => sum + share, 0) * groups.length)
  const parts = shares.map(() => [] as number[])
  for (const [g, group] of groups.entries()) {
    const part = ends.findIndex((end) => g + 0.5 < end)
    const own = parts[part < 0 ? shares.length - 1 : part]!
    for (const place of group) own.push(place)
  }
  return parts.map((part) => part.sort((a, b) => a - b).map((i) => records[i]!))
}
