// All rules of quality on one text, in FineWeb's order: repetition, Gopher, C4 (which takes lines away), paragraphs, FineWeb, bad words.

import { hasBadWord } from './bad-words.ts'
import { asksC4, c4, c4Paragraphs } from './c4.ts'
import { fineweb } from './fineweb.ts'
import { gopherQuality } from './gopher-quality.ts'
import { repetition } from './repetition.ts'
import type { Rules } from './rules.ts'
import { TextView } from './text-view.ts'

/** The first rule that a text breaks, or the text that is kept and its view. */
export type Judged = { reason: string } | { text: string; view: TextView; linesDropped: number }

/** Judges a text. A text without a word is `empty`, whatever the rules are. */
export function judge(first: TextView, rules: Rules): Judged {
  let view = first
  if (view.count === 0) return { reason: 'empty' }
  const reason = repetition(view, rules) ?? gopherQuality(view, rules)
  if (reason !== undefined) return { reason }
  let linesDropped = 0
  if (asksC4(rules)) {
    const left = c4(view.text, rules)
    if ('reason' in left) return left
    linesDropped = left.lines
    if (left.text !== view.text) view = new TextView(left.text)
    if (view.count === 0) return { reason: 'empty' }
  }
  const last = c4Paragraphs(view.text, rules) ?? fineweb(view, rules)
  if (last !== undefined) return { reason: last }
  if (rules.bad_words !== null && hasBadWord(view.text, rules.bad_words)) return { reason: 'bad_words' }
  return { text: view.text, view, linesDropped }
}
