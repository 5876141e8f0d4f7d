// Tokenize a corpus once. The cache is addressed by content: the key hashes the data files, the tokenizer, every option
// that changes a token, and the version of this code, so a stale cache cannot be read. Files appear whole or not at all.

import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { extensionOf, listFiles } from '../read/files.ts'
import { type DocumentOptions, type ReadReport, readDocuments } from '../read/sources.ts'
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

/** Raise when reading, splitting or packing would give other tokens than before. */
const VERSION = 1

/** Everything between paths and blocks. */
export interface CorpusOptions extends DocumentOptions, DocumentTokenOptions, BlockOptions {
  /** Reads one side of a split only. */
  split?: SplitOptions & { side: Side }
  /** Keeps the tokens in this directory and finds them there the next time; then `tokenizerHash` is needed. */
  cache?: { directory: string; tokenizerHash: string }
}

/** A packed corpus, and what reading it met; no report where the tokens came from the cache. */
export interface PackedCorpus extends PackedDataset {
  readonly report: ReadReport | undefined
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
  const key = await cacheKey(paths, encoder, { ...options, cache })
  const path = join(cache.directory, `${key}.tokens`)
  const found = existsSync(path) ? openTokenStore(path, key) : undefined
  if (found !== undefined) return { ...cutBlocks(found, options), report: undefined }
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

async function build(
  paths: string | readonly string[],
  encoder: TextEncoder,
  options: CorpusOptions,
  file?: { path: string; key: string },
): Promise<PackedCorpus> {
  const documents = readDocuments(paths, options)
  const { split } = options
  const writer = new TokenWriter({ vocabSize: encoder.vocabSize, ...file })
  try {
    await writeDocuments(
      split === undefined ? documents : onSide(documents, split.side, split),
      encoder,
      options,
      writer,
    )
    return { ...cutBlocks(writer.finish(), options), report: documents.report }
  } catch (error) {
    writer.abort()
    throw error
  }
}

async function cacheKey(
  paths: string | readonly string[],
  encoder: TextEncoder,
  options: CorpusOptions & Required<Pick<CorpusOptions, 'cache'>>,
): Promise<string> {
  const {
    textKey = 'text',
    columns,
    limits,
    maxBadFraction,
    appendEos = true,
    prependBos = false,
    split,
    extensions,
  } = options
  const hash = createHash('sha256')
  const { eosTokenId, bosTokenId, vocabSize } = encoder
  hash.update(
    JSON.stringify({
      version: VERSION,
      tokenizer: [options.cache.tokenizerHash, eosTokenId, bosTokenId, vocabSize],
      reading: { textKey, columns, limits, maxBadFraction },
      packing: { appendEos, prependBos, split },
    }),
  )
  for (const file of listFiles(typeof paths === 'string' ? [paths] : paths, extensions)) {
    // The extension decides how a file is read; the rest of its name does not change a token.
    hash.update(`\0${extensionOf(file)}\0`).update(await fileDigest(file))
  }
  return hash.digest('hex')
}

async function fileDigest(file: string): Promise<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest()
}
