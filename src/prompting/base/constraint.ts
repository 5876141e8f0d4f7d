// What an answer has to keep to while it is written: a constraint says of a text's beginning whether anything can still come of it.

import { UsageError } from '../../errors.ts'
import type { Structure } from '../../grammar/grammar.ts'

/** `open`: not yet, but it may come to hold; `holds`: the text may end here; `broken`: whatever follows, it will not hold. */
export type Standing = 'open' | 'holds' | 'broken'

/** What a text has to keep to; `where` makes them. */
export interface Constraint {
  /** What it asks, in a few words: for errors, and for a model that is asked again. */
  readonly name: string
  /**
   * How a text stands that may go on or end here. It is asked at every token, about texts that may end in half a word, and never about half
   * a character. Of a broken text every longer one is broken too.
   */
  check(text: string): Standing
  /** The structure that says the same, where there is one: what a mask keeps to needs no second draw. */
  readonly structure?: Structure
}

/** How a text stands with all of them, and the first that it does not hold. */
export function standing(text: string, where: readonly Constraint[]): { standing: Standing; by?: Constraint } {
  let open: Constraint | undefined
  for (const one of where) {
    const found = one.check(text)
    if (found === 'broken') return { standing: 'broken', by: one }
    if (found === 'open') open ??= one
    else if (found !== 'holds')
      throw new UsageError(`${one.name}: expected a standing of open, holds or broken, got ${JSON.stringify(found)}`)
  }
  return open === undefined ? { standing: 'holds' } : { standing: 'open', by: open }
}

/** UsageError unless these are constraints. */
export function checkWhere(where: readonly Constraint[]): void {
  if (!Array.isArray(where)) throw new UsageError(`where: expected a list of constraints, got ${typeof where}`)
  for (const one of where)
    if (typeof one?.check !== 'function' || typeof one.name !== 'string')
      throw new UsageError(
        `where: expected constraints, such as where.not('the'), got ${JSON.stringify(one) ?? typeof one}. For a function, write where.test(name, function)`,
      )
}

/** Kinds of structures, those that leave least first. */
const KINDS = ['choice', 'json_schema', 'regex', 'any_of', 'sequence', 'until']

/** The structure that leaves least: of several, one can be a mask, and the others are checked. */
export function maskOf(where: readonly Constraint[]): Structure | undefined {
  const rank = (structure: Structure): number => KINDS.findIndex((kind) => kind in structure)
  return where
    .flatMap(({ structure }) => structure ?? [])
    .reduce<Structure | undefined>(
      (best, one) => (best === undefined || rank(one) < rank(best) ? one : best),
      undefined,
    )
}
