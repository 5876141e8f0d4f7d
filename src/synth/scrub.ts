// Addresses and numbers of people in seeds and rows, replaced by ones that are nobody's. Names are not found.

import { maskPii, type PiiKind, REPLACEMENTS } from '../data/curate/pii.ts'
import { UsageError } from '../errors.ts'

export const PII_KINDS: readonly PiiKind[] = ['email', 'ip', 'phone', 'cpr']

/** How often what was replaced. */
export type ScrubCounts = Readonly<Partial<Record<PiiKind, number>>>

/** The same value with the texts in it replaced; keys of objects stay. `counts` grows. */
export function scrubbed<T>(value: T, kinds: readonly PiiKind[], counts: Partial<Record<PiiKind, number>> = {}): T {
  const options = Object.fromEntries(PII_KINDS.map((kind) => [kind, kinds.includes(kind)])) as Record<PiiKind, boolean>
  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') {
      const { text, counts: found } = maskPii(one, options)
      for (const kind of PII_KINDS) if (found[kind] !== undefined) counts[kind] = (counts[kind] ?? 0) + found[kind]
      return text
    }
    if (Array.isArray(one)) return one.map(walk)
    if (typeof one !== 'object' || one === null) return one
    return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, walk(inner)]))
  }
  return kinds.length === 0 ? value : (walk(value) as T)
}

/** How often what stands for people's own stands in texts: of rows that were made in several runs, all that was replaced. */
export function placeholdersIn(texts: readonly string[], kinds: readonly PiiKind[]): ScrubCounts {
  const count = (kind: PiiKind): number =>
    texts.reduce((sum, text) => sum + text.split(REPLACEMENTS[kind]).length - 1, 0)
  return Object.fromEntries(kinds.map((kind) => [kind, count(kind)]))
}

/** UsageError for a kind that there is not. */
export function checkKinds(name: string, kinds: readonly string[]): void {
  const wrong = kinds.find((kind) => !PII_KINDS.includes(kind as PiiKind))
  if (wrong !== undefined) throw new UsageError(`${name}: expected ${PII_KINDS.join(', ')}, got ${wrong}`)
}
