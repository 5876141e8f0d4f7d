// Files of data → what an index takes: documents or passages of them, each with an id that stays the same when the files are read again.
import { isNamedText } from '../../data/read/files.ts'
import type { Document } from '../../prompting/data/document.ts'
import { readDocuments } from '../../prompting/data/read-documents.ts'
import { splitText } from '../../prompting/data/split-text.ts'
import type { NewDocument } from '../../retrieve/store/index-writer.ts'

/** Which rows of which files. */
export interface IndexRowOptions {
  textKey?: string | undefined
  idKey: string
  metaKeys?: readonly string[] | undefined
  /** Characters of a passage at most; without it documents stay whole. */
  passages?: number | undefined
  maxBadFraction: number
  quarantinePath: string
  onNotice: (message: string) => void
}

/** A document, or the passages of one, in order. */
export interface IndexRow {
  id: string
  documents: readonly NewDocument[]
}

/** Documents, to be read once. */
export interface IndexRows extends AsyncIterable<IndexRow> {
  /** Lines until now that could not be read. */
  readonly bad: number
}

/**
 * Reads documents. The id is the field's, for a text or a page of the web the file's name, for other rows file and line, in PDFs file and page; with `passages` it has
 * `#1`, `#2`, … behind it, and `start` and `end` in the meta say where in the document's text the passage stands.
 */
export function indexRows(paths: readonly string[], options: IndexRowOptions): IndexRows {
  const { textKey, idKey, metaKeys, passages, ...reading } = options
  const documents = readDocuments(paths, {
    ...reading,
    ...(textKey !== undefined && { textKey }),
    metaKeys: metaKeys === undefined ? 'all' : [idKey, ...metaKeys],
  })
  const rows = async function* (): AsyncGenerator<IndexRow, void, undefined> {
    for await (const document of documents) {
      const named = namedBy(idKey, document)
      yield { id: named.id, documents: passages === undefined ? [named] : passagesOf(named, passages) }
    }
  }
  return {
    get bad() {
      return documents.bad
    },
    [Symbol.asyncIterator]: rows,
  }
}

/** The id of a passage. */
export const passageId = (document: string, number: number): string => `${document}#${number}`

function passagesOf({ id, text, meta }: NewDocument, size: number): NewDocument[] {
  const parts = splitText(text, { size }).filter((part) => part.text.trim() !== '')
  return parts.map(({ text, start, end }, i) => ({ id: passageId(id, i + 1), text, meta: { ...meta, start, end } }))
}

function namedBy(idKey: string, { id: place, text, meta }: Document): NewDocument {
  const { file = '', line, page, pages, sidecar, columns = {} } = meta
  const { [idKey]: given, ...rest } = columns
  const isRow =
    page === undefined && sidecar === undefined && line !== undefined && place !== file && !isNamedText(file)
  const own = isRow ? `${file}:${line}` : place
  const id = given === undefined || given === null || given === '' ? own : String(given)
  const known = { ...rest, ...(page !== undefined && { page, pages }), ...(sidecar !== undefined && { sidecar }) }
  return { id, text, ...(Object.keys(known).length > 0 && { meta: known }) }
}
