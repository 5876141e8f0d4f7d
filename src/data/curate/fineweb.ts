// FineWeb's own rules: lists, menus and pages of short or repeated lines are told by how their lines end and how long they are.

import { isTerminal } from './characters.ts'
import { strip } from './lines.ts'
import { repeated } from './repetition.ts'
import type { Rules } from './rules.ts'
import { codePoints, ratio, type TextView } from './text-view.ts'

/** The rule that a text breaks; undefined for none. */
export function fineweb(view: TextView, rules: Rules): string | undefined {
  const { text, length, count } = view
  const asks = [rules.line_punct_thr, rules.short_line_thr, rules.char_duplicates_ratio, rules.new_line_ratio]
  if (asks.every((rule) => rule === null)) return undefined
  const all = text.split('\n')
  const newLines = all.length - 1
  const lines = all.filter((line) => strip(line) !== '')
  if (lines.length === 0) return 'empty'
  if (rules.line_punct_thr !== null) {
    const share = ratio(lines.filter(endsInTerminal).length, lines.length)
    if (share < rules.line_punct_thr && !(share === 0 && rules.line_punct_exclude_zero)) return 'line_punct_thr'
  }
  if (rules.short_line_thr !== null) {
    const most = rules.short_line_length ?? 30
    const short = lines.filter((line) => line.length <= most || (line.length <= 2 * most && codePoints(line) <= most))
    if (ratio(short.length, lines.length) > rules.short_line_thr) return 'short_line_thr'
  }
  if (rules.char_duplicates_ratio !== null) {
    const share = ratio(repeated(lines).characters, length - newLines)
    if (share > rules.char_duplicates_ratio) return 'char_duplicates_ratio'
  }
  // A text of line ends alone has been dropped above: there is a word, or a sign that counts as one.
  if (rules.new_line_ratio !== null && ratio(newLines, count) > rules.new_line_ratio) return 'new_line_ratio'
  return undefined
}

function endsInTerminal(line: string): boolean {
  const last = line.charCodeAt(line.length - 1)
  const isLow = last >= 0xdc00 && last <= 0xdfff && line.length > 1
  return isTerminal(isLow ? line.codePointAt(line.length - 2)! : last)
}
