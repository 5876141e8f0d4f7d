// C4's rule against pages with a word of a list of bad ones (Raffel et al. 2020; the list is LDNOOBW's, in 28 languages). It takes
// medical and minority texts too (Dodge et al. 2021), so no other preset asks for it.

import { createRequire } from 'node:module'
import { UsageError } from '../../errors.ts'
import { UNSPACED } from './simplify.ts'

/** Languages that there is a list for. */
export const BAD_WORD_LANGUAGES: readonly string[] =
  'ar cs da de en eo es fa fi fil fr fr-CA-u-sd-caqc hi hu it ja kab ko nl no pl pt ru sv th tlh tr zh'.split(' ')

/** Words that C4 allows: parts of ordinary words in scripts without spaces. */
const ALLOWED: ReadonlySet<string> = new Set(['sm', 'グロ', '女の子', '性'])
const ANYWHERE: ReadonlySet<string> = new Set(['ja', 'th', 'zh'])

/** Finds words of one list. */
class BadWords {
  /** First word → texts that begin with it. */
  private readonly byFirst = new Map<string, string[]>()
  /** What begins with a sign, or is found inside of words. */
  private readonly signs: string[] = []
  private readonly inside: string[] = []

  constructor(words: readonly string[], isAnywhere: boolean) {
    for (const word of words.map((each) => each.trim().toLowerCase())) {
      if (word === '' || ALLOWED.has(word)) continue
      const [first] = /^[\p{L}\p{N}_]+/u.exec(word) ?? ['']
      if (isAnywhere || UNSPACED.test(word)) this.inside.push(word)
      else if (first === '') this.signs.push(word)
      else this.byFirst.set(first, [...(this.byFirst.get(first) ?? []), word])
    }
  }

  isIn(text: string): boolean {
    const lower = text.toLowerCase()
    if (this.inside.some((word) => lower.includes(word))) return true
    for (const sign of this.signs)
      for (let at = lower.indexOf(sign); at !== -1; at = lower.indexOf(sign, at + 1))
        if (!/[\p{L}\p{N}_]$/u.test(lower.slice(Math.max(0, at - 2), at)) && ends(lower, at + sign.length)) return true
    if (this.byFirst.size === 0) return false
    for (const { 0: first, index } of lower.matchAll(/[\p{L}\p{N}_]+/gu))
      for (const word of this.byFirst.get(first) ?? [])
        if (word === first || (lower.startsWith(word, index) && ends(lower, index + word.length))) return true
    return false
  }
}

/** Whether no word goes on here. */
function ends(text: string, at: number): boolean {
  return !/^[\p{L}\p{N}_]/u.test(text.slice(at, at + 2))
}

const known = new Map<string | readonly string[], BadWords>()

/** Whether a text has one of the words: of the list of a language by its code, or of these. UsageError where there is no such list. */
export function hasBadWord(text: string, words: string | readonly string[]): boolean {
  let list = known.get(words)
  if (list === undefined) {
    list = new BadWords(
      typeof words === 'string' ? listOf(words) : words,
      typeof words === 'string' && ANYWHERE.has(words),
    )
    known.set(words, list)
  }
  return list.isIn(text)
}

function listOf(language: string): string[] {
  if (!BAD_WORD_LANGUAGES.includes(language)) {
    throw new UsageError(
      `rules.bad_words: expected a list of words or one of ${BAD_WORD_LANGUAGES.join(' ')}, got '${language}'`,
    )
  }
  return createRequire(import.meta.url)(`naughty-words/${language}.json`) as string[]
}
