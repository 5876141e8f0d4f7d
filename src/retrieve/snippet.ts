// The place of a text that fits a query best, to be shown in a line.
import type { Tokenize } from './tokenize.ts'

/** A longer text is looked at up to here: what is shown in a line is not worth more. */
const LOOKED_AT = 1 << 20

/**
 * The stretch of at most `length` characters with the most different words of the query, the first of equal ones; runs of white space are one space, and `…` stands
 * where something is left out. The beginning where no word is found.
 */
export function snippet(text: string, query: string, tokenize: Tokenize, length = 100): string {
  const characters = [...text.slice(0, LOOKED_AT).trim().replaceAll(/\s+/g, ' ')]
  if (characters.length <= length) return characters.join('')
  const asked = new Set(tokenize(query))
  const found = (at: number): number => {
    const words = new Set(tokenize(characters.slice(at, at + length).join('')))
    return [...asked].filter((word) => words.has(word)).length
  }
  let best = { at: 0, count: found(0) }
  const step = Math.max(1, Math.floor(length / 4))
  for (let at = step; at < characters.length && best.count < asked.size; at += step) {
    const start = Math.min(wordStart(characters, at), Math.max(0, characters.length - length))
    const count = found(start)
    if (count > best.count) best = { at: start, count }
  }
  const end = best.at + length
  const shown = characters.slice(best.at, end).join('').trim()
  return `${best.at > 0 ? '…' : ''}${shown}${end < characters.length || text.length > LOOKED_AT ? '…' : ''}`
}

/** The first place at or before `at` that does not cut a word in two; `at` itself within a long run without spaces. */
function wordStart(characters: readonly string[], at: number): number {
  for (let i = at; i > at - 20 && i > 0; i--) if (characters[i - 1] === ' ') return i
  return at
}
