// Phrases as they are written down in lists, made into what finds them in the plain forms of a text.

/** Alternatives one behind another; a number stands for so many other words at most. */
export type Phrase = readonly (string | number)[]

/** What finds a phrase. */
export interface PhrasePattern {
  /** Among words with one space between them. */
  readonly inWords: RegExp
  /** Among letters alone. */
  readonly inLetters: RegExp
}

/** As words with others between them, and as letters without a space. */
export function phrasePattern(phrase: Phrase): PhrasePattern {
  const read = (gap: (most: number) => string, part: (alternatives: string) => string): string =>
    phrase.map((one) => (typeof one === 'number' ? gap(one) : `(?:${part(one)})`)).join('')
  const spaced = phrase.flatMap((one, i) =>
    typeof one === 'string' && typeof phrase[i - 1] === 'string' ? [' ', one] : [one],
  )
  const inWords = spaced
    .map((one) => (typeof one === 'number' ? ` (?:\\S+ ){0,${one}}` : one === ' ' ? ' ' : `(?:${one})`))
    .join('')
  const inLetters = read(
    (most) => `[a-z]{0,${Math.min(most, 3) * 6}}?`,
    (part) => part.replaceAll(' ?', '').replaceAll(' ', ''),
  )
  return { inWords: new RegExp(`(?<!\\S)${inWords}(?!\\S)`, 'u'), inLetters: new RegExp(inLetters, 'u') }
}
