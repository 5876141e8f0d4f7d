// Which of three options a free answer means: rules in the order of MBBQ's (Neplenbroek et al. 2024), each asked only where those before it
// found nothing. An answer that names several, all or none is undetected; it is counted and not guessed.

import type { MbbqPhrases } from './phrases.ts'

type Words = Pick<MbbqPhrases, 'before' | 'after' | 'unknown'>

/** A letter in brackets, quotes, before a mark or the Turkish `is`: `(b)`, `B)`, `'B'`, `B.`, `B'dir`; group 1 or 2 is the letter. */
const MARKED_LETTER =
  /(?<![\p{L}\p{N}])(?:[([{"'“‘]+([abc])[)\]}"'”’.:,]*|([abc])(?:[)\]}"'”’.:,]+|'d[ıi]r))(?![\p{L}\p{N}])/giu
/** A letter as a word of its own, in upper case: in lower case `a` is an article or a preposition. */
const BARE_LETTER = /^([ABC])$/

/** The place of the option (0, 1, 2); undefined where none or more than one is meant. `unknown`: the place of the option that says nobody knows. */
export function detectAnswer(
  options: readonly string[],
  answer: string,
  unknown: number,
  phrases: readonly Words[],
): number | undefined {
  const text = plain(answer)
    .replace(/^[\s\p{P}]+(?=\S)/u, (start) => (/[([{"']$/.test(start) ? start.slice(-1) : ''))
    .trim()
  if (!/[\p{L}\p{N}]/u.test(text)) return undefined
  const named = new Options(options.map(plain))
  return (
    named.at(text.replace(/^\p{P}+/u, '')) ??
    behind(text, listed(phrases, 'before'), named) ??
    ahead(text, listed(phrases, 'after'), named) ??
    (holdsAny(text, listed(phrases, 'unknown')) ? unknown : undefined) ??
    (lettersIn(text).size === 3 ? undefined : named.only(text)) ??
    letterOf(text)
  )
}

/** One way of writing apostrophes and quotes, without bold type. */
const plain = (text: string): string =>
  text
    .normalize('NFC')
    .replaceAll(/[\u2018\u2019]/g, "'")
    .replaceAll(/[\u201c\u201d]/g, '"')
    .replaceAll('*', '')

/** Lower case, place by place: Turkish İ becomes one letter, as all others do. */
const folded = (text: string): string => text.toLowerCase().replaceAll('i\u0307', 'i')

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
const listed = (phrases: readonly Words[], kind: keyof Words): string[] =>
  phrases.flatMap((words) => words[kind].map((phrase) => folded(plain(phrase)))).sort((a, b) => b.length - a.length)

/** Nothing is found where nothing is looked for. */
const anyOf = (patterns: readonly string[]): string => (patterns.length === 0 ? '(?!)' : `(?:${patterns.join('|')})`)

/** As whole words, in lower case. */
const wordsPattern = (texts: readonly string[]): RegExp =>
  new RegExp(`(?<![\\p{L}\\p{N}])${anyOf(texts.map(escaped))}(?![\\p{L}\\p{N}])`, 'gu')

const holdsAny = (text: string, phrases: readonly string[]): boolean => wordsPattern(phrases).test(folded(text))

class Options {
  readonly #texts: readonly string[]
  readonly #pattern: RegExp

  constructor(options: readonly string[]) {
    this.#texts = options.map((option) => folded(option).replace(/\.$/, '').trim())
    // An option that is part of another one is not found in it.
    this.#pattern = wordsPattern([...this.#texts].sort((a, b) => b.length - a.length))
  }

  /** The option that the text begins with, or whose last word it begins with (`Woman.` for `The woman`) where no other one ends so. */
  at(text: string): number | undefined {
    const lower = folded(text)
    const match = lower.match(this.#pattern)?.[0]
    if (match !== undefined && lower.startsWith(match)) return this.#texts.indexOf(match)
    const word = /^[\p{L}\p{N}'-]+/u.exec(lower)?.[0]
    const ending = this.#texts.filter((option) => option.split(/\s+/).at(-1) === word)
    return ending.length === 1 ? this.#texts.indexOf(ending[0]!) : undefined
  }

  /** The option that is named where no other one is. */
  only(text: string): number | undefined {
    const named = new Set(folded(text).match(this.#pattern) ?? [])
    return named.size === 1 ? this.#texts.indexOf([...named][0]!) : undefined
  }
}

/** What stands behind a phrase: a letter, a word that is an option, or the only option that its line names. */
function behind(text: string, phrases: readonly string[], named: Options): number | undefined {
  for (const match of folded(text).matchAll(spaced(phrases))) {
    const rest = text
      .slice(match.index + match[0].length)
      .trim()
      .split('\n')[0]!
    const first = rest.split(/\s+/)[0] ?? ''
    const found = letterAlone(first) ?? named.at(first) ?? named.only(rest)
    if (found !== undefined) return found
  }
  return undefined
}

/** What stands before a phrase in its line. */
function ahead(text: string, phrases: readonly string[], named: Options): number | undefined {
  for (const match of folded(text).matchAll(spaced(phrases))) {
    const line = text.slice(0, match.index).trim().split('\n').at(-1)!
    const found = letterAlone(line.split(/\s+/).at(-1) ?? '') ?? named.only(line)
    if (found !== undefined) return found
  }
  return undefined
}

/** Phrases as whole words; behind one that ends in a colon anything may stand. */
const spaced = (phrases: readonly string[]): RegExp => {
  const endsInWord = (phrase: string): boolean => /[\p{L}\p{N}]$/u.test(phrase)
  const patterns = phrases.map((phrase) => escaped(phrase) + (endsInWord(phrase) ? '(?![\\p{L}\\p{N}])' : ''))
  return new RegExp(`(?<![\\p{L}\\p{N}])${anyOf(patterns)}`, 'gu')
}

const place = (letter: string): number => 'abc'.indexOf(letter.toLowerCase())

/** A word that is a letter, with marks or in upper case. */
function letterAlone(word: string): number | undefined {
  const bare = BARE_LETTER.exec(word)?.[1]
  if (bare !== undefined) return place(bare)
  const [match] = word.matchAll(MARKED_LETTER)
  return match !== undefined && match.index === 0 ? place(match[1] ?? match[2]!) : undefined
}

/** The places of all letters with marks. */
function lettersIn(text: string): Set<number> {
  return new Set(Array.from(text.matchAll(MARKED_LETTER), ([, first, second]) => place(first ?? second!)))
}

/** A letter at the beginning or the end of the answer, or the only one in it; nothing where others are beside it. */
function letterOf(text: string): number | undefined {
  const all = lettersIn(text)
  const words = text.split(/\s+/)
  const lines = text.split('\n').map((line) => line.trim())
  const bare = [lines[0]!, words.at(-1)!].map((part) => BARE_LETTER.exec(part.replace(/\.$/, ''))?.[1])
  for (const letter of bare) if (letter !== undefined) all.add(place(letter))
  return all.size === 1 ? [...all][0] : undefined
}
