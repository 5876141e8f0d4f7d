// Documents in parts that fit, which still say where they stand: file, line, page, range, and the headings above.

import { isNamedMarkdown, isNamedText } from '../../data/read/files.ts'
import { UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { Document } from './document.ts'
import { type Heading, headingsOf } from './pauses.ts'
import { SPLIT, type SplitOptions, splitText } from './split-text.ts'

/** How documents are cut. */
export interface SplitDocumentsOptions extends SplitOptions {
  /** Whether headings are looked for (`# …`). Default: in files whose names end in .md or .markdown. */
  markdown?: boolean
}

const OPTIONS: Readonly<Record<keyof SplitDocumentsOptions, true>> = { ...SPLIT, markdown: true }

/**
 * Cuts documents by `splitText`. A part's id is `id#start-end`, in characters of the document's text, and `meta` the document's; `line` is
 * the part's own in files of running text, and in Markdown `headings` are those above its first words. Parts of white space are left out.
 */
export async function* splitDocuments(
  documents: AsyncIterable<Document> | Iterable<Document>,
  options: SplitDocumentsOptions,
): AsyncGenerator<Document, void, undefined> {
  checkOptionNames('splitDocuments', options, OPTIONS)
  const { markdown, ...how } = options
  /** The headings above the next document, where it goes on with the same text. */
  let above: readonly Heading[] = []
  for await (const document of documents) {
    if (typeof document?.text !== 'string' || typeof document.meta !== 'object' || document.meta === null)
      throw new UsageError(
        'splitDocuments: expected documents { id, text, meta }, got another value. readDocuments gives them; splitText cuts a plain text',
      )
    const { id, text, meta } = document
    const { isContinued, ...kept } = meta
    const { file = '', sidecar: source = file, line } = meta
    const headings = (markdown ?? isNamedMarkdown(source)) ? headingsOf(text) : []
    const open = [...above]
    let [next, line0, counted] = [0, line, 0]
    for (const { text: part, start, end } of splitText(text, how)) {
      for (let words = wordsAfter(text, start, end); next < headings.length; next++) {
        const { at, end: behind } = headings[next]!
        if (at > words || at >= end) break
        enter(open, headings[next]!)
        words = Math.max(words, wordsAfter(text, behind, end))
      }
      if (line0 !== undefined && isNamedText(source)) line0 += linesIn(text, counted, start)
      counted = start
      if (part.trim() === '') continue
      const place = line0 === undefined ? {} : { line: line0 }
      const titles = open.length === 0 ? {} : { headings: open.map(({ title }) => title) }
      yield { id: `${id}#${start}-${end}`, text: part, meta: { ...kept, ...place, ...titles } }
    }
    for (const heading of headings.slice(next)) enter(open, heading)
    above = isContinued === true ? open : []
  }
}

/** Where the first word from a place on begins; `end` where there is none before it. */
function wordsAfter(text: string, from: number, end: number): number {
  const found = text.slice(from, end).search(/\S/)
  return found === -1 ? end : from + found
}

/** A heading ends those of its level and of lower ones. */
function enter(open: Heading[], heading: Heading): void {
  while (open.length > 0 && open.at(-1)!.level >= heading.level) open.pop()
  open.push(heading)
}

function linesIn(text: string, from: number, to: number): number {
  let lines = 0
  for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) lines++
  return lines
}
