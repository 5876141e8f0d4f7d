// Near copies across a split: texts that share eight of ten words with a text of the other side.
import { lettersOf } from '../../src/data/language/ngrams.ts'

/** Of `test`, the texts that are no near copy of one of `train` (Jaccard similarity of their sets of words below 0.8). */
export function withoutCopies<T extends { text: string }>(train: readonly { text: string }[], test: readonly T[]): T[] {
  const byWord = new Map<string, Set<string>[]>()
  for (const { text } of train) {
    const words = new Set(lettersOf(text).split(' '))
    for (const word of words) byWord.set(word, [...(byWord.get(word) ?? []).slice(-200), words])
  }
  return test.filter(({ text }) => {
    const words = new Set(lettersOf(text).split(' '))
    // Long words are rare: of a near copy one of the three is there, too, but for the unlikely case.
    const longest = [...words].sort((a, b) => b.length - a.length).slice(0, 3)
    return !longest.some((word) =>
      (byWord.get(word) ?? []).some((other) => {
        const both = [...words].filter((each) => other.has(each)).length
        return both / (words.size + other.size - both) >= 0.8
      }),
    )
  })
}
