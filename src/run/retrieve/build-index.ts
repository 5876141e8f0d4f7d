// Files of data → an index on disk: rows in, documents with words and, where a model is named, vectors out. Every commit says how many rows are in, so that
// a build that was killed goes on there.
import { basename, join } from 'node:path'
import { listFiles } from '../../data/read/files.ts'
import { UsageError } from '../../errors.ts'
import { fileMark } from '../../files/file-mark.ts'
import { hashOf } from '../../files/hash.ts'
import { MORE_FILES } from '../../prompting/data/read-documents.ts'
import { counted } from '../../report/amounts.ts'
import type { Bm25Options } from '../../retrieve/bm25-formula.ts'
import { type AddCounts, type IndexWriter, type NewDocument, writeIndex } from '../../retrieve/store/index-writer.ts'
import { indexInfo } from '../../retrieve/store/search-index.ts'
import type { IndexEmbedder } from '../../retrieve/store/settings.ts'
import type { TokenizerOptions } from '../../retrieve/tokenize.ts'
import type { Metric } from '../../retrieve/vector-block.ts'
import { eventsOf, type Tell, type WorkEvent } from '../../work.ts'
import { resolveData } from '../resolve-data.ts'
import type { OpenedEmbedder } from './index-embedder.ts'
import { indexRows, passageId } from './index-rows.ts'

/** Which rows of which data an index takes. */
export interface IndexDataOptions {
  /** Files or folders, or names of datasets on the hub. */
  data: readonly string[]
  /** Field that holds the text. Default `text`; a row without that is read whole, `name: value` a line. */
  textKey?: string | undefined
  /** Field that holds the id; a row without it is named by its file and line. Default `id`. */
  idKey?: string | undefined
  /** Fields to give back with the text. Default all others. */
  metaKeys?: readonly string[] | undefined
  /** The share of lines that may be bad, 0 to 1; they are left out, and written to quarantine.jsonl in the index. Default 0.001. */
  maxBadFraction?: number | undefined
  device?: 'auto' | 'cpu' | 'cuda' | undefined
}

/** How an index is built. */
export interface BuildIndexOptions extends IndexDataOptions {
  /** The folder to make. */
  out: string
  /** Replaces an index that is there. */
  overwrite?: boolean | undefined
  /** An encoder, by its directory or name on the hub, for vectors beside words. */
  embed?: string | undefined
  /** Put before each query and document for it, such as `query: ` and `passage: ` of E5. */
  queryPrefix?: string | undefined
  documentPrefix?: string | undefined
  metric?: Metric | undefined
  vectors?: 'f32' | 'int8' | undefined
  bm25?: Bm25Options | undefined
  tokenizer?: TokenizerOptions | undefined
  /** Cuts documents into passages of so many characters at most, at the end of a paragraph or sentence where it can. Default: not. */
  passages?: number | undefined
  /** Rows between commits: what a kill costs at most. Default 50,000, with vectors 2,000. */
  commitRows?: number | undefined
}

/** What was made. */
export interface BuiltIndex extends AddCounts {
  out: string
  /** Documents in it now. */
  documents: number
  /** Lines that could not be read. */
  bad: number
}

/** What is kept with every commit. */
interface State {
  /** What the vectors were made with, as it was named. */
  embed?: string
  /** How documents are cut: `add` does the same. */
  passages?: number
  /** Of a build: what it reads, and how many rows are in. */
  build?: { key: string; rows: number; isDone: boolean }
}

/** A kill costs the work on so many rows: vectors take their time. */
const COMMIT_ROWS = { words: 50_000, vectors: 2_000 }
const AT_ONCE = 256
const QUARANTINE = 'quarantine.jsonl'

/**
 * Builds an index; the same call goes on where an earlier one was killed. UsageError where the folder has an index that is done, or one of
 * other data.
 *
 * @example
 * const { documents } = await resultOf(buildIndex({ out: 'faq.index', data: ['faq.jsonl'], embed: 'models/e5' }))
 */
export function buildIndex(
  options: BuildIndexOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, BuiltIndex> {
  return eventsOf(
    async (watch) => {
      const { out, embed, queryPrefix, documentPrefix, metric, vectors, bm25, tokenizer, overwrite, device } = options
      const paths = await resolveData(options.data, watch)
      const key = keyOf(paths, options)
      const embedder = embed === undefined ? undefined : await openEmbedder(embed, { device }, watch)
      try {
        const given: IndexEmbedder | undefined = embedder && {
          ...embedder.embedder,
          ...(queryPrefix !== undefined && { queryPrefix }),
          ...(documentPrefix !== undefined && { documentPrefix }),
        }
        const settings = {
          ...(given !== undefined && { embedder: given }),
          ...(metric !== undefined && { metric }),
          ...(vectors !== undefined && { vectors }),
          ...(bm25 !== undefined && { bm25 }),
          ...(tokenizer !== undefined && { tokenizer }),
        }
        const begin = (anew: boolean): IndexWriter => writeIndex(out, { ...settings, overwrite: anew }, watch)
        let writer = begin(false)
        let rows = 0
        try {
          const before = (writer.state as State | undefined)?.build
          if (before !== undefined && !before.isDone && before.key === key) rows = before.rows
          else if (overwrite === true) {
            writer.close()
            writer = begin(true)
          } else if (!writer.isNew) throw takenError(out, before !== undefined && !before.isDone)
          if (rows > 0)
            watch.tell({ type: 'notice', message: `going on with ${out} after ${counted(rows, 'row')} that are in it` })
          const stateOf = (done: number, isDone: boolean): State => ({
            ...(embed !== undefined && { embed: embedder!.source }),
            ...(options.passages !== undefined && { passages: options.passages }),
            build: { key, rows: done, isDone },
          })
          return await fill(writer, paths, options, { skip: rows, stateOf, work: 'index build' }, watch)
        } finally {
          writer.close()
        }
      } finally {
        embedder?.free()
      }
    },
    { signal },
  )
}

/**
 * Adds rows to an index. One whose id is there takes the place of that one; where text and meta are the same nothing is done, so that adding the same
 * files again costs no vectors.
 */
export function addToIndex(
  directory: string,
  options: IndexDataOptions & { embed?: string | undefined },
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, BuiltIndex> {
  return eventsOf(
    async (watch) => {
      const paths = await resolveData(options.data, watch)
      const { settings, state } = indexInfo(directory)
      const { embed, passages, build } = (state ?? {}) as State
      if (build?.isDone === false)
        throw new UsageError(
          `${directory}: expected an index that is done, got one that was stopped after ${counted(build.rows, 'row')}. Build it again with the same options, and it goes on`,
        )
      let embedder: OpenedEmbedder | undefined
      if (settings.embedding !== undefined)
        embedder = await openEmbedder(options.embed ?? embed ?? settings.embedding.name, options, watch)
      else if (options.embed !== undefined)
        throw new UsageError(
          `embed: expected none, for ${directory} has no vectors, got ${options.embed}. Leave it out`,
        )
      try {
        const writer = writeIndex(directory, embedder === undefined ? {} : { embedder: embedder.embedder }, watch)
        try {
          return await fill(
            writer,
            paths,
            { ...options, passages },
            { skip: 0, stateOf: () => state, work: 'index add' },
            watch,
          )
        } finally {
          writer.close()
        }
      } finally {
        embedder?.free()
      }
    },
    { signal },
  )
}

/** LibTorch is loaded only where vectors are made. */
export async function openEmbedder(
  ...given: Parameters<typeof import('./index-embedder.ts').openIndexEmbedder>
): Promise<OpenedEmbedder> {
  const { openIndexEmbedder } = await import('./index-embedder.ts')
  return openIndexEmbedder(...given)
}

async function fill(
  writer: IndexWriter,
  paths: readonly string[],
  {
    textKey,
    idKey = 'id',
    metaKeys,
    maxBadFraction = 0.001,
    passages,
    ...more
  }: IndexDataOptions & Pick<BuildIndexOptions, 'passages' | 'commitRows'>,
  { skip, stateOf, work }: { skip: number; stateOf: (rows: number, isDone: boolean) => unknown; work: string },
  watch: { signal: AbortSignal; tell: Tell },
): Promise<BuiltIndex> {
  const { tell } = watch
  const { directory, settings } = writer
  const vectors = settings.embedding === undefined ? '' : ` and vectors of ${settings.embedding.name}`
  tell({ type: 'started', work, message: `${directory}: words${vectors} of ${paths.join(', ')}` })
  const reading = indexRows(paths, {
    textKey,
    idKey,
    metaKeys,
    passages,
    maxBadFraction,
    quarantinePath: join(directory, QUARANTINE),
    onNotice: (message) => tell({ type: 'notice', message }),
  })
  const total: AddCounts = { added: 0, replaced: 0, unchanged: 0, repeated: 0 }
  const commitRows = more.commitRows ?? COMMIT_ROWS[settings.embedding === undefined ? 'words' : 'vectors']
  let rows = 0
  let batch: NewDocument[] = []
  /** Of documents that are whole: how many passages they have now. */
  let ends = new Map<string, number>()
  const addBatch = async (): Promise<void> => {
    const counts = await writer.add(batch)
    for (const key of Object.keys(total) as (keyof AddCounts)[]) total[key] += counts[key]
    // What was there by the same id may have had more.
    for (let [id, count] of ends) while (writer.remove([passageId(id, count + 1)]) === 1) count++
    batch = []
    ends = new Map()
    tell({ type: 'progress', label: 'indexing', done: rows, unit: 'documents' })
    watch.signal.throwIfAborted()
  }
  for await (const { id, documents } of reading) {
    for (const document of documents) {
      if (++rows <= skip) continue
      batch.push(document)
      if (batch.length === AT_ONCE) await addBatch()
      if (rows % commitRows === 0) {
        await addBatch()
        await writer.commit(stateOf(rows, false))
      }
    }
    if (passages !== undefined && rows > skip) ends.set(id, documents.length)
  }
  await addBatch()
  await writer.commit(stateOf(rows, true))
  const twice = total.repeated + (work === 'index build' ? total.replaced : 0)
  if (twice > 0)
    tell({
      type: 'notice',
      message: `${counted(twice, 'row')} had an id that came before: of rows with one id the last is kept`,
    })
  const result: BuiltIndex = { out: directory, documents: writer.documents, ...total, bad: reading.bad }
  tell({ type: 'saved', what: 'index', path: directory })
  const changes = [
    `${total.added.toLocaleString('en')} added`,
    ...(total.replaced > 0 ? [`${total.replaced.toLocaleString('en')} replaced`] : []),
    ...(total.unchanged > 0 ? [`${total.unchanged.toLocaleString('en')} unchanged`] : []),
  ]
  tell({
    type: 'result',
    result,
    lines: [`${counted(result.documents, 'document')} in ${directory} (${changes.join(', ')})`],
  })
  return result
}

/** Differs where another build would have other documents or vectors in it. */
function keyOf(paths: readonly string[], options: BuildIndexOptions): string {
  const marks = listFiles([...paths], undefined, undefined, true, MORE_FILES).map(
    (file) => `${basename(file)} ${fileMark(file)}`,
  )
  const { textKey, idKey = 'id', metaKeys, embed, queryPrefix, documentPrefix, passages } = options
  const { metric, vectors, bm25, tokenizer } = options
  return hashOf(
    JSON.stringify([
      marks,
      textKey,
      idKey,
      metaKeys,
      embed,
      queryPrefix,
      documentPrefix,
      metric,
      vectors,
      bm25,
      tokenizer,
      passages,
    ]),
  ).slice(0, 16)
}

function takenError(out: string, isBegun: boolean): UsageError {
  return new UsageError(
    isBegun
      ? `out: expected the data and settings with which ${out} was begun, got others. Give the same to go on, or give \`overwrite\``
      : `out: expected a place without an index, got ${out}. Add to it with \`anneal index add\`, or give \`overwrite\``,
  )
}
