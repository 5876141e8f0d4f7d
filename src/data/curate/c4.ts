// The rules of C4: lines that are no sentences go, and documents of too few sentences, of placeholder text or code.

import { isTerminal } from './characters.ts'
import { splitLines, strip } from './lines.ts'
import type { Rules } from './rules.ts'
import { codePoints, TextView } from './text-view.ts'

const CITATIONS = /\[\d*\]|\[edit\]|\[citation needed\]/g
const POLICIES = ['terms of use', 'privacy policy', 'cookie policy', 'uses cookies', 'use of cookies', 'use cookies']
const SPACE = /[\s\x1c-\x1f\x85]+/

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
    const words = line === '' ? [] : line.split(SPACE)
    const longest = rules.max_word_length
    if (longest !== null && words.some((word) => word.length > longest && codePoints(word) > longest)) {
      dropped++
      continue
    }
    if (rules.remove_citations !== null && line.includes('[')) line = line.replace(CITATIONS, '')
    if (rules.filter_no_terminal_punct !== null && !endsSentence(line)) {
      dropped++
      continue
    }
    if (rules.min_words_per_line !== null && words.length < rules.min_words_per_line) {
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

function endsSentence(line: string): boolean {
  return /[.?!"']$/.test(line) && !line.endsWith('...')
}

/** Sentences of a line: a new one begins with the first word after a sign that ends one. */
export function numSentences(line: string): number {
  const { count, starts, ends, isSymbol } = new TextView(line)
  if (count === 0) return 0
  let sentences = 1
  let isOver = false
  for (let i = 0; i < count; i++) {
    if (isOver && isSymbol[i] === 0) {
      sentences++
      isOver = false
    } else if (isSymbol[i] === 1 && ends[i]! - starts[i]! <= 2 && isTerminal(line.codePointAt(starts[i]!)!))
      isOver = true
  }
  return sentences
}
