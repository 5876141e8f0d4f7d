// A few texts that each rule took away, for people to look at. Those with the smallest hashes, so that it does not matter who met
// them first.

import { hashText } from '../../files/hash.ts'

/** A text that went, why, and where it stands. */
export interface Example {
  step: string
  reason: string
  source: string
  file: string
  offset: number
  /** Its beginning. */
  text: string
  hash: string
  /** The beginning of what it is a duplicate of. */
  of?: string
}

const EACH = 3
const CHARACTERS = 400

/** Keeps the first few by hash for each step and reason. */
export class Examples {
  private readonly byReason = new Map<string, Example[]>()

  add(place: Omit<Example, 'text' | 'hash'>, text: string): void {
    this.keep({
      ...place,
      text: beginning(text),
      hash: hashText(`${text}\0${place.file}\0${place.offset}`).slice(0, 16),
    })
  }

  keep(example: Example): void {
    const key = `${example.step}\0${example.reason}`
    const kept = this.byReason.get(key) ?? []
    this.byReason.set(key, kept)
    kept.push(example)
    kept.sort((a, b) => (a.hash < b.hash ? -1 : 1))
    kept.length = Math.min(kept.length, EACH)
  }

  all(): Example[] {
    return [...this.byReason].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, kept]) => kept)
  }
}

/** The first characters of a text; no half of a character at the end. */
export function beginning(text: string): string {
  if (text.length <= CHARACTERS) return text
  const cut = text.slice(0, CHARACTERS)
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`
}
