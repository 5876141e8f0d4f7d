// Tokenize a corpus once. The cache is addressed by content: the key hashes the data files, the tokenizer, every option
// that changes a token, and the version of this code, so a stale cache cannot be read. Files appear whole or not at all.

import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ContentHash } from '../../files/hash.ts'
import { areFew, GUARD, passagesOn } from '../passages.ts'
import { extensionOf, listFiles } from '../read/files.ts'
import {
  type DocumentOptions,
  type Reading,
  type ReadReport,
  readDocuments,
  type SourceDocument,
} from '../read/sources.ts'
import { type Spelled, SpelledTally } from '../spelled-tokens.ts'
import { onSide, type Side, type SplitOptions } from '../split.ts'
import {
  type BlockOptions,
  checkBlockLength,
  cutBlocks,
  type DocumentTokenOptions,
  type PackedDataset,
  type TextEncoder,
  writeDocuments,
} from './pack.ts'
import { openTokenStore, TokenWriter } from './token-store.ts'

/** Raise when reading, splitting or packing would give other tokens than before, or keeps other notes beside them. */
const VERSION = 5

/** Everything between paths and blocks. */
export interface CorpusOptions extends DocumentOptions, DocumentTokenOptions, BlockOptions {
  /** Reads one side of a split only. */
  split?: SplitOptions & { side: Side }
  /** Keeps the tokens in this directory and finds them there the next time; then `tokenizerHash` is needed. */
  cache?: { directory: string; tokenizerHash: string }
}

/** A packed corpus, what reading it met, and control tokens that its texts spell; where it came from the cache, what was met when it was read. */
export interface PackedCorpus extends PackedDataset {
  readonly report: ReadReport
  readonly spelled: Spelled
  /** The documents were few: `numDocuments` counts passages of them. */
  readonly isPassages: boolean
  readonly isCached: boolean
}

/** Reads, tokenizes and packs the texts under the paths, through the cache where one is given. */
export async function packCorpus(
  paths: string | readonly string[],
  encoder: TextEncoder,
  options: CorpusOptions,
): Promise<PackedCorpus> {
  checkBlockLength(options)
  const { cache } = options
  if (cache === undefined) return build(paths, encoder, options)
  const met: string[] = []
  const key = await cacheKey(paths, encoder, { ...options, cache }, (notice) => met.push(notice))
  const path = join(cache.directory, `${key}.tokens`)
  const found = existsSync(path) ? openTokenStore(path, key) : undefined
  if (found !== undefined) {
    const notes = found.notes as Notes
    for (const notice of [...met, ...notes.report.notices]) options.onNotice?.(notice)
    return { ...cutBlocks(found, options), ...notes, isCached: true }
  }
  mkdirSync(cache.directory, { recursive: true })
  const unfinished = `${path}.${randomUUID()}.tmp`
  try {
    const packed = await build(paths, encoder, options, { path: unfinished, key })
    renameSync(unfinished, path)
    return packed
  } finally {
    rmSync(unfinished, { force: true })
  }
}

/** What is kept beside the tokens. */
type Notes = Pick<PackedCorpus, 'report' | 'spelled' | 'isPassages'>

async function build(
  paths: string | readonly string[],
  encoder: TextEncoder,
  options: CorpusOptions,
  file?: { path: string; key: string },
): Promise<PackedCorpus> {
  const documents = readDocuments(paths, options)
  const writer = new TokenWriter({ vocabSize: encoder.vocabSize, ...file })
  try {
    const tally = new SpelledTally(encoder.controlTokens ?? new Set())
    const { side, isPassages } = await sideOfDocuments(paths, documents, options)
    const texts = tallied(side, tally)
    await writeDocuments(texts, encoder, options, writer)
    const { files, documents: read, good, bad, badByReason, notices } = documents.report
    const report: ReadReport = { files, documents: read, good, bad, badByReason: { ...badByReason }, notices }
    const notes: Notes = { report, spelled: tally.found(), isPassages }
    return { ...cutBlocks(writer.finish(notes), options), ...notes, isCached: false }
  } catch (error) {
    writer.abort()
    throw error
  }
}

async function* tallied(documents: AsyncIterable<SourceDocument>, tally: SpelledTally): AsyncGenerator<SourceDocument> {
  for await (const document of documents) {
    tally.add(document.text)
    yield document
  }
}

/** The documents of the side asked for; of few documents, their passages. */
async function sideOfDocuments(
  paths: string | readonly string[],
  documents: Reading<SourceDocument>,
  options: CorpusOptions,
): Promise<{ side: AsyncIterable<SourceDocument>; isPassages: boolean }> {
  const { split, quarantinePath: _, onNotice, ...reading } = options
  if (split === undefined) return { side: documents, isPassages: false }
  // What is wrong with the data is said by the reading that counts, which has the quarantine.
  const isFew = await areFew(readDocuments(paths, reading), split).catch(() => false)
  if (!isFew) return { side: onSide(documents, split.side, split), isPassages: false }
  if (split.side === 'validation') {
    const notice = `documents are few: held out is a passage of ${Number((100 * split.fraction).toPrecision(3))} % of each long one, and up to ${GUARD} characters on both sides of it are not read`
    documents.report.notices.push(notice)
    onNotice?.(notice)
  }
  return { side: passagesOn(documents, split.side, split), isPassages: true }
}

async function cacheKey(
  paths: string | readonly string[],
  encoder: TextEncoder,
  options: CorpusOptions & Required<Pick<CorpusOptions, 'cache'>>,
  notice: (message: string) => void,
): Promise<string> {
  const {
    textKey = 'text',
    columns,
    limits,
    maxBadFraction,
    appendEos = true,
    prependBos = false,
    allowSpecial = false,
    split,
    extensions,
  } = options
  const { eosTokenId, bosTokenId, vocabSize } = encoder
  const hash = new ContentHash().add(
    JSON.stringify({
      version: VERSION,
      tokenizer: [options.cache.tokenizerHash, eosTokenId, bosTokenId, vocabSize],
      reading: { textKey, columns, limits, maxBadFraction },
      packing: { appendEos, prependBos, allowSpecial, split },
    }),
  )
  // The extension decides how a file is read; the rest of its name does not change a token.
  for (const file of listFiles(typeof paths === 'string' ? [paths] : paths, extensions, notice))
    await hash.add(extensionOf(file)).addFile(file)
  return hash.digest()
}
