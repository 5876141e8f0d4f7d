// Documents put together: one after the other in one text up to a size, or from several sources in turns.

import { InputError, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { Document } from './document.ts'
import type { Measure } from './measure.ts'

/** How documents are put together. */
export interface CombineOptions {
  /** What a text may have at most, in what `measure` counts. */
  size: number
  /** Counts a text. Default: its characters; for tokens, `tokenMeasure(model)`. */
  measure?: Measure
  /** Stands between documents. Default: a blank line. */
  separator?: string
  /** What stands before a document, with a line end behind it. Default: nothing. */
  title?: (document: Document) => string
}

/** Above what texts have one by one, their joints may add a few tokens. */
const SLACK = 8

/**
 * Puts documents that follow each other into texts that are as large as they may be. The id is that of the first, and with others
 * `first+n`; `meta.documents` are all ids. InputError for a document that is too large by itself: cut it before with `splitDocuments`.
 */
export async function* combine(
  documents: AsyncIterable<Document> | Iterable<Document>,
  options: CombineOptions,
): AsyncGenerator<Document, void, undefined> {
  checkOptionNames('combine', options, { size: true, measure: true, separator: true, title: true })
  const { size, measure = (text: string) => text.length, separator = '\n\n', title } = options
  if (!(size > 0)) throw new UsageError(`size: expected a number above 0, got ${size}`)
  const between = measure(separator)
  const joined = (some: readonly Entry[]): string => some.map(({ text }) => text).join(separator)
  let held: Entry[] = []
  /** No less than what is held has, if joints add no more than the slack. */
  let bound = 0
  function* flush(entries: readonly Entry[]): Generator<Document> {
    if (entries.length === 0) return
    const text = joined(entries)
    if (entries.length === 1 || measure(text) <= size) {
      yield together(entries, text)
      return
    }
    const half = entries.length >>> 1
    yield* flush(entries.slice(0, half))
    yield* flush(entries.slice(half))
  }
  for await (const document of documents) {
    const said = title?.(document)
    const text = said === undefined ? document.text : `${said}\n${document.text}`
    const own = measure(text)
    if (!(own <= size))
      throw new InputError(
        `${document.id}: expected at most ${size} to combine, got ${own}. Cut it with splitDocuments`,
      )
    held.push({ id: document.id, text })
    bound += own + (held.length > 1 ? between + SLACK : 0)
    if (bound > size) bound = measure(joined(held))
    if (bound <= size) continue
    const last = held.pop()!
    yield* flush(held)
    held = [last]
    bound = own
  }
  yield* flush(held)
}

interface Entry {
  id: string
  text: string
}

function together(entries: readonly Entry[], text: string): Document {
  const [first, ...more] = entries
  return {
    id: more.length === 0 ? first!.id : `${first!.id}+${more.length}`,
    text,
    meta: { documents: entries.map(({ id }) => id) },
  }
}

/** One document of each source in turns, until all are at their end. */
export async function* interleave(
  ...sources: readonly (AsyncIterable<Document> | Iterable<Document>)[]
): AsyncGenerator<Document, void, undefined> {
  let open = sources.map((source) =>
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator](),
  )
  try {
    while (open.length > 0)
      for (const iterator of [...open]) {
        const { done, value } = await iterator.next()
        if (done) open = open.filter((other) => other !== iterator)
        else yield value
      }
  } finally {
    for (const iterator of open) await iterator.return?.()
  }
}
