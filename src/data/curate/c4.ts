// The rules of C4: lines that are no sentences go, and documents of too few sentences or paragraphs, of placeholder text or code.

import { characterClasses, isTerminal, SPACE } from './characters.ts'
import { splitLines, strip } from './lines.ts'
import type { Rules } from './rules.ts'
import { codePoints, TextView } from './text-view.ts'

const CITATIONS = /\[\d*\]|\[edit\]|\[citation needed\]/g
const POLICIES = ['terms of use', 'privacy policy', 'cookie policy', 'uses cookies', 'use of cookies', 'use cookies']

/** True where any of the rules is on. */
export function asksC4(rules: Rules): boolean {
  return (
    rules.filter_no_terminal_punct !== null ||
    rules.min_words_per_line !== null ||
    rules.max_word_length !== null ||
    rules.filter_javascript !== null ||
    rules.filter_policy !== null ||
    rules.remove_citations !== null ||
    rules.filter_lorem_ipsum !== null ||
    rules.filter_curly_bracket !== null ||
    rules.min_num_sentences !== null
  )
}

/** The text without the lines that go, or the rule for which all of it goes. */
export function c4(text: string, rules: Rules): { text: string; lines: number } | { reason: string } {
  const kept: string[] = []
  let sentences = 0
  let dropped = 0
  for (const raw of splitLines(text)) {
    let line = strip(raw)
    const longest = rules.max_word_length
    const words = wordsOf(line, longest ?? Number.POSITIVE_INFINITY)
    if (words === undefined) {
      dropped++
      continue
    }
    if (rules.remove_citations !== null && line.includes('[')) line = line.replace(CITATIONS, '')
    if (rules.filter_no_terminal_punct !== null && !endsSentence(line)) {
      dropped++
      continue
    }
    if (rules.min_words_per_line !== null && words < rules.min_words_per_line) {
      dropped++
      continue
    }
    const lower = line.toLowerCase()
    if (rules.filter_lorem_ipsum !== null && lower.includes('lorem ipsum')) return { reason: 'filter_lorem_ipsum' }
    if (rules.filter_javascript !== null && lower.includes('javascript')) {
      dropped++
      continue
    }
    if (rules.filter_curly_bracket !== null && line.includes('{')) return { reason: 'filter_curly_bracket' }
    if (rules.filter_policy !== null && POLICIES.some((policy) => lower.includes(policy))) {
      dropped++
      continue
    }
    if (rules.min_num_sentences !== null) sentences += numSentences(line)
    kept.push(line)
  }
  if (rules.min_num_sentences !== null && sentences < rules.min_num_sentences) return { reason: 'min_num_sentences' }
  return { text: strip(kept.join('\n')), lines: dropped }
}

/** The rule of paragraphs that a text breaks; undefined for none. */
export function c4Paragraphs(
  text: string,
  { min_paragraphs: least, min_paragraph_length: length }: Rules,
): string | undefined {
  if (least === null || least === 0) return undefined
  const isLong = (line: string): boolean => line.length >= (length ?? 200) && codePoints(line) >= (length ?? 200)
  return text.split('\n').filter(isLong).length >= least ? undefined : 'min_paragraphs'
}

function endsSentence(line: string): boolean {
  return /[.?!"']$/.test(line) && !line.endsWith('...')
}

/** Words between white space; undefined where one has more than `longest` code points. */
function wordsOf(line: string, longest: number): number | undefined {
  const classes = characterClasses()
  let words = 0
  for (let at = 0; at < line.length; at++) {
    if (classes[line.charCodeAt(at)] === SPACE) continue
    const start = at
    while (at < line.length && classes[line.charCodeAt(at)] !== SPACE) at++
    words++
    if (at - start > longest && codePoints(line.slice(start, at)) > longest) return undefined
  }
  return words
}

/** Sentences of a line: a new one begins with the first word after a sign that ends one. */
export function numSentences(line: string): number {
  // Only around such signs it matters how words are cut, and most lines have few.
  if (!/[^\s\w,;:'"()-]/.test(line)) return /\S/.test(line) ? 1 : 0
  const view = new TextView(line)
  if (view.count === 0) return 0
  let sentences = 1
  let isOver = false
  for (let i = 0; i < view.count; i++) {
    const isSymbol = view.isSymbol(i)
    if (isOver && !isSymbol) {
      sentences++
      isOver = false
    } else if (isSymbol && view.end(i) - view.start(i) <= 2 && isEnd(line, view.start(i), view.end(i))) isOver = true
  }
  return sentences
}

/** One sign that ends a sentence; two full stops do not. */
function isEnd(line: string, start: number, end: number): boolean {
  const code = line.codePointAt(start)!
  return isTerminal(code) && (end - start === 1 || code > 0xffff)
}
