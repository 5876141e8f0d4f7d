// Whether a text looks like running text (Gopher's rules of quality): how many words, how long, how many symbols, bullets and
// ellipses, and stop words of the language.

import { splitLines, strip } from './lines.ts'
import type { Rules } from './rules.ts'
import { ratio, type TextView } from './text-view.ts'

/** The rule that a text breaks; undefined for none. */
export function gopherQuality(view: TextView, rules: Rules): string | undefined {
  const { text, count } = view
  let words = 0
  let characters = 0
  let withLetter = 0
  for (let i = 0; i < count; i++) {
    if (view.hasLetter(i)) withLetter++
    if (view.isSymbol(i)) continue
    words++
    characters += view.lengthOf(i)
  }
  const isOn = (limit: number | null): limit is number => limit !== null && limit > 0
  if (isOn(rules.min_doc_words) && words < rules.min_doc_words) return 'min_doc_words'
  if (isOn(rules.max_doc_words) && words > rules.max_doc_words) return 'max_doc_words'
  const mean = ratio(characters, words)
  if (isOn(rules.min_avg_word_length) && mean < rules.min_avg_word_length) return 'min_avg_word_length'
  if (isOn(rules.max_avg_word_length) && mean > rules.max_avg_word_length) return 'max_avg_word_length'
  if (isOn(rules.max_symbol_word_ratio)) {
    if (ratio(occurrences(text, '#'), count) > rules.max_symbol_word_ratio) return 'max_symbol_word_ratio'
    const ellipses = occurrences(text, '...') + occurrences(text, '…')
    if (ratio(ellipses, count) > rules.max_symbol_word_ratio) return 'max_symbol_word_ratio'
  }
  if (isOn(rules.max_bullet_lines_ratio) || isOn(rules.max_ellipsis_lines_ratio)) {
    const lines = splitLines(text)
    const bullets = countOf(lines, (line) => /^[\s\x1c-\x1f\x85]*[•-]/.test(line))
    if (isOn(rules.max_bullet_lines_ratio) && ratio(bullets, lines.length) > rules.max_bullet_lines_ratio)
      return 'max_bullet_lines_ratio'
    const ellipses = countOf(lines, (line) => /\.\.\.|…/.test(line) && /(?:\.\.\.|…)$/.test(strip(line)))
    if (isOn(rules.max_ellipsis_lines_ratio) && ratio(ellipses, lines.length) > rules.max_ellipsis_lines_ratio)
      return 'max_ellipsis_lines_ratio'
  }
  if (isOn(rules.min_alpha_words_ratio) && ratio(withLetter, count) < rules.min_alpha_words_ratio)
    return 'min_alpha_words_ratio'
  if (
    isOn(rules.min_stop_words) &&
    stopWords(view, rules.stop_words ?? [], rules.min_stop_words) < rules.min_stop_words
  )
    return 'min_stop_words'
  return undefined
}

function countOf(lines: readonly string[], is: (line: string) => boolean): number {
  let count = 0
  for (const line of lines) if (is(line)) count++
  return count
}

function occurrences(text: string, part: string): number {
  let count = 0
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) count++
  return count
}

/** How many different ones there are; counting ends at `enough`. */
function stopWords(view: TextView, words: readonly string[], enough: number): number {
  const wanted = new Set(words)
  const longest = Math.max(0, ...words.map((word) => word.length))
  for (let i = 0; i < view.count && words.length - wanted.size < enough; i++)
    if (view.end(i) - view.start(i) <= longest) wanted.delete(view.word(i))
  return words.length - wanted.size
}
