// The longest run of words that stands in two dialogues, in time that grows with their length: of a teacher that says one word again and
// again, every place there would else be compared with every place here.

import { bareWords } from '../../data/word-runs.ts'
import type { Turn } from './turns.ts'

/** Words as they are compared; a Chinese character is one. */
export const unitsOf = (text: string): string[] => bareWords(text).split(' ').filter(Boolean)

/** The longest run of words that a turn shares with a turn of `others`, the first of equal ones. */
export function longestShared(turns: readonly Turn[], others: readonly Turn[]): string[] {
  const runs = runsOf(others)
  let best: string[] = []
  for (const { text } of turns) {
    const units = unitsOf(text)
    let most = best.length
    let end = -1
    let state = runs[0]!
    let length = 0
    for (const [at, unit] of units.entries()) {
      while (state.before !== undefined && !state.next.has(unit)) {
        state = state.before
        length = state.length
      }
      const next = state.next.get(unit)
      if (next === undefined) continue
      state = next
      length++
      if (length <= most) continue
      most = length
      end = at + 1
    }
    if (end !== -1) best = units.slice(end - most, end)
  }
  return best
}

/** A state of the suffix automaton (Blumer et al. 1985): runs that end at the same places. */
interface State {
  /** Of its longest run. */
  length: number
  next: Map<string, State>
  /** The state of its longest run that ends at more places. */
  before: State | undefined
}

/** Between turns stands what is no word, so that no run goes over it. */
const BETWEEN = '\n'

/** A case is compared with many dialogues. */
const known = new WeakMap<readonly Turn[], State[]>()

/** All runs of all turns; the first state is the empty one. */
function runsOf(turns: readonly Turn[]): State[] {
  const kept = known.get(turns)
  if (kept !== undefined) return kept
  const states: State[] = [{ length: 0, next: new Map(), before: undefined }]
  let last = states[0]!
  for (const { text } of turns) for (const unit of [...unitsOf(text), BETWEEN]) last = extended(states, last, unit)
  known.set(turns, states)
  return states
}

function extended(states: State[], last: State, unit: string): State {
  const first = states[0]!
  const added: State = { length: last.length + 1, next: new Map(), before: first }
  states.push(added)
  let at: State | undefined = last
  for (; at !== undefined && !at.next.has(unit); at = at.before) at.next.set(unit, added)
  if (at === undefined) return added
  const found: State = at.next.get(unit)!
  if (found.length === at.length + 1) {
    added.before = found
    return added
  }
  const copy: State = { length: at.length + 1, next: new Map(found.next), before: found.before }
  states.push(copy)
  for (; at !== undefined && at.next.get(unit) === found; at = at.before) at.next.set(unit, copy)
  found.before = copy
  added.before = copy
  return added
}
