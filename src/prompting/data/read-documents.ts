// From paths to documents, whatever the files: rows and running text by the readers of `anneal/data`, and what only prompts need, which is
// PDFs, and pictures and sounds by the text beside them. Streamed: no file is held whole but a PDF, a page of the web and subtitles.

import { extensionOf, isNamedText, listFiles } from '../../data/read/files.ts'
import { DEFAULT_LIMITS } from '../../data/read/limits.ts'
import { type DocumentOptions, readDocuments as readSources, type SourceDocument } from '../../data/read/sources.ts'
import { InputError, messageOf, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { Document, DocumentMeta } from './document.ts'
import { readPdf } from './pdf-text.ts'
import { MEDIA, readSubtitles, SUBTITLES, sideCarsOf } from './side-cars.ts'

/** How documents are read: as for training, but for what is read besides. */
export interface ReadOptions extends Omit<DocumentOptions, 'pages' | 'mayBeEmpty' | 'wholeRows'> {
  /** A longer PDF is refused. Default 256 MiB. */
  maxPdfBytes?: number
}

/** Documents, to be read once. */
export interface Documents extends AsyncIterable<Document> {
  /** What was met until now: files that are left out and why, bad lines, surprising names. `onNotice` hears of it at once. */
  readonly notices: readonly string[]
  /** Lines until now that could not be read: they are left out. */
  readonly bad: number
}

const OPTIONS: Readonly<Record<keyof ReadOptions, true>> = {
  extensions: true,
  columns: true,
  quarantinePath: true,
  maxBadFraction: true,
  limits: true,
  onNotice: true,
  textKey: true,
  metaKeys: true,
  maxPdfBytes: true,
}

const MiB = 1024 * 1024
/** Names that are written out. */
const NAMED = 3
const isWeb = (file: string): boolean => ['.html', '.htm', '.xhtml'].includes(extensionOf(file))

/**
 * Reads texts, Markdown, HTML, JSON, JSON Lines, CSV, TSV, Parquet, WARC, PDF and subtitles from files and folders, in order of their names; pictures,
 * sounds and films by a text beside them (`photo.jpg.txt`, `photo.txt`, .md, .vtt, .srt). A text file above `limits.maxDocumentBytes` comes as
 * several documents that follow each other; a PDF as its pages. What cannot be read is an InputError where its path was named, and a
 * notice where a folder was. Rows of tables and JSON without a field `text` are read whole, `name: value` a line, unless `textKey` names another
 * field. `id` is the path, and for what is no whole file `path@offset` (in bytes; rows in Parquet, pages in PDFs).
 *
 * @example
 * for await (const { id, text, meta } of readDocuments('reports/', { onNotice: console.warn })) …
 */
export function readDocuments(paths: string | readonly string[], options: ReadOptions = {}): Documents {
  checkOptionNames('readDocuments', options, OPTIONS)
  const notices: string[] = []
  const notice = (message: string): void => {
    notices.push(message)
    options.onNotice?.(message)
  }
  let isStarted = false
  const count = { bad: () => 0 }
  return {
    notices,
    get bad() {
      return count.bad()
    },
    [Symbol.asyncIterator]: () => {
      if (isStarted)
        throw new UsageError(
          'readDocuments: expected to be read once, got a second reading. Call it again, or keep a list',
        )
      isStarted = true
      return stream(typeof paths === 'string' ? [paths] : paths, options, count, notice)
    },
  }
}

async function* stream(
  paths: readonly string[],
  options: ReadOptions,
  count: { bad: () => number },
  notice: (message: string) => void,
): AsyncGenerator<Document, void, undefined> {
  let isEmpty = true
  for await (const document of documentsOf(planOf(paths, options.extensions, notice), options, count, notice)) {
    isEmpty = false
    yield document
  }
  if (isEmpty) throw new InputError(`documents in ${paths.join(', ')}: expected at least one, got none`)
}

async function* documentsOf(
  { sources, media, named }: Plan,
  options: ReadOptions,
  count: { bad: () => number },
  notice: (message: string) => void,
): AsyncGenerator<Document, void, undefined> {
  const { maxPdfBytes = 256 * MiB, ...rest } = options
  const { maxLineBytes } = { ...DEFAULT_LIMITS, ...options.limits }
  /** What `anneal/data` does not read, from one place of the list up to another. */
  async function* ours(from: number, to: number): AsyncGenerator<Document> {
    for (const file of sources.slice(from, to).filter(isOurs))
      try {
        if (extensionOf(file) === '.pdf') yield* pagesOf(file, maxPdfBytes, notice)
        else {
          const text = await readSubtitles(file, maxLineBytes)
          if (text === '') notice(`${file} is empty`)
          else yield* belonging(media.get(file), { id: file, text, meta: { file } })
        }
      } catch (error) {
        if (named.has(file) || !(error instanceof InputError)) throw error
        notice(`${file} is left out: ${messageOf(error)}`)
      }
  }
  const rows = sources.filter((file) => !isOurs(file))
  const places = new Map(sources.map((file, i) => [file, i]))
  let at = 0
  // Tables of one's own have columns of all kinds; where a field was asked for by name, one without it is a mistake.
  const how = { ...rest, wholeRows: rest.textKey === undefined, pages: true, mayBeEmpty: true, onNotice: notice }
  if (rows.length > 0) {
    const reading = readSources(rows, how)
    count.bad = () => reading.report.bad
    for await (const row of reading) {
      const place = places.get(row.id.file)!
      yield* ours(at, place)
      at = place
      yield* belonging(media.get(row.id.file), documentOf(row))
    }
  }
  yield* ours(at, sources.length)
}

async function* pagesOf(file: string, maxBytes: number, notice: (message: string) => void): AsyncGenerator<Document> {
  for await (const { text, page, pages } of readPdf(file, { maxBytes, notice }))
    yield { id: `${file}@${page}`, text, meta: { file, page, pages } }
}

/** What is listed in folders besides what `anneal/data` reads. */
export const MORE_FILES: readonly string[] = ['.pdf', ...SUBTITLES, ...MEDIA]

const isOurs = (file: string): boolean => ['.pdf', ...SUBTITLES].includes(extensionOf(file))

interface Plan {
  /** The files to read, each once, in order. */
  sources: readonly string[]
  /** Of a text beside them, the pictures and sounds that it speaks for. */
  media: ReadonlyMap<string, readonly string[]>
  /** The files whose paths were named. */
  named: ReadonlySet<string>
}

function planOf(
  paths: readonly string[],
  extensions: readonly string[] | undefined,
  notice: (message: string) => void,
): Plan {
  const sources = new Set<string>()
  const media = new Map<string, string[]>()
  const named = new Set<string>()
  const mute: string[] = []
  for (const path of paths) {
    const files = listFiles([path], extensions, notice, true, MORE_FILES)
    if (files.length === 1 && files[0] === path) named.add(path)
    for (const file of files) {
      if (!MEDIA.includes(extensionOf(file))) {
        sources.add(file)
        continue
      }
      const [text, ...others] = sideCarsOf(file)
      if (text === undefined) {
        if (named.has(file))
          throw new InputError(
            `file ${file}: expected a text beside it that says what is in it, got none. Write ${file}.txt (or .md, .vtt, .srt)`,
          )
        mute.push(file)
        continue
      }
      const spoken = others.filter((other) => other.startsWith(file))
      if (spoken.length > 0)
        notice(`${file} has several texts beside it: ${text} is taken for it, and not ${spoken.join(', ')}`)
      sources.add(text)
      const known = media.get(text) ?? []
      if (!known.includes(file)) media.set(text, [...known, file])
    }
  }
  if (mute.length > 0)
    notice(
      `${mute.length === 1 ? '1 picture or sound is' : `${mute.length} pictures or sounds are`} left out, for no text is beside them (${mute[0]}.txt would be one): ` +
        `${mute.slice(0, NAMED).join(', ')}${mute.length > NAMED ? ', …' : ''}`,
    )
  return { sources: [...sources], media, named }
}

function documentOf({ text, id, meta: columns, isContinued }: SourceDocument): Document {
  const { file, line, offset } = id
  const isWhole = (isNamedText(file) || isWeb(file)) && offset === 0 && isContinued === undefined
  const meta: DocumentMeta = {
    file,
    line,
    ...(isContinued && { isContinued }),
    ...(columns !== undefined && { columns }),
  }
  return { id: isWhole ? file : `${file}@${offset}`, text, meta }
}

/** The document, or where its file speaks for pictures or sounds, one for each of these. */
function belonging(files: readonly string[] | undefined, document: Document): Document[] {
  const { id, text, meta } = document
  const sidecar = meta.file!
  return (
    files?.map((file) => ({ id: file + id.slice(sidecar.length), text, meta: { ...meta, file, sidecar } })) ?? [
      document,
    ]
  )
}
