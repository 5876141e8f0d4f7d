// How texts begin and end: the most visible fault of dialogues that a model made up is that they all do so alike.

import type { CutTexts } from './word-runs.ts'

/** How often texts begin, or end, with the same words. */
export interface PhraseCounts {
  /** The most frequent ones first, equal ones as they first came; words with a space between them. */
  phrases: readonly { phrase: string; count: number; share: number }[]
  /** Different ones, and texts that are long enough to have one. */
  distinct: number
  texts: number
}

/** Counts the first or last `length` words of texts; of shorter texts all their words, of empty ones nothing. */
export function phraseCounts(
  { words, starts, spelled }: CutTexts,
  where: 'first' | 'last',
  { length, most }: { length: number; most: number },
): PhraseCounts {
  const counts = new Map<string, number>()
  let texts = 0
  for (let text = 0; text + 1 < starts.length; text++) {
    const [from, to] = [starts[text]!, starts[text + 1]!]
    if (from === to) continue
    texts++
    const part =
      where === 'first'
        ? words.subarray(from, Math.min(from + length, to))
        : words.subarray(Math.max(to - length, from), to)
    const phrase = Array.from(part, (id) => spelled[id]!).join(' ')
    counts.set(phrase, (counts.get(phrase) ?? 0) + 1)
  }
  const phrases = [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([phrase, count]) => ({ phrase, count, share: count / texts }))
  return { phrases, distinct: counts.size, texts }
}
