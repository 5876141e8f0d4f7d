// The parts of a text: which conditions are whose, and where a hole ends.

import { conjuncts, type Expression, eachName, type TextStatement } from './syntax.ts'

/** Conditions by the hole that is the last of those they are about: the others have values then. */
export function ownedBy(parts: TextStatement['parts'], where: Expression | undefined): Map<string, Expression[]> {
  const holes = parts.flatMap((part) => (part.kind === 'hole' ? [part.name] : []))
  const owned = new Map<string, Expression[]>()
  for (const condition of conjuncts(where)) {
    let last = -1
    eachName(condition, (name) => {
      last = Math.max(last, holes.indexOf(name))
    })
    const name = holes[last]!
    owned.set(name, [...(owned.get(name) ?? []), condition])
  }
  return owned
}

const MOST_STOP = 24

/** The words that follow a hole, to the end of their line. */
export function stopOf(next: TextStatement['parts'][number] | undefined): string | undefined {
  if (next?.kind !== 'words') return undefined
  const end = next.text.indexOf('\n')
  return [...(end < 0 ? next.text : next.text.slice(0, end + 1))].slice(0, MOST_STOP).join('')
}
