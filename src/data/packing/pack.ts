// Documents → tokens → blocks of equal length, as GPTs are pre-trained: all tokens in one run, cut every `blockLength`,
// no padding. A block may begin inside a document and hold several; attention crosses their borders unless `boundaries`.

import { UsageError } from '../../errors.ts'
import { IGNORE_INDEX } from '../batch.ts'
import type { Dataset, Sample } from '../sample.ts'
import { type TokenStore, TokenWriter, type TokenWriterOptions } from './token-store.ts'

/** What packing needs of a tokenizer, such as a `Tokenizer`. It is asked to add no special tokens: packing puts its own. */
export interface TextEncoder {
  encode(text: string, options: { addSpecialTokens: false; allowSpecial?: boolean }): ArrayLike<number>
  readonly eosTokenId: number | undefined
  readonly bosTokenId: number | undefined
  readonly vocabSize?: number
  /** Contents of the tokens that a text cannot produce without `allowSpecial`. */
  readonly controlTokens?: ReadonlySet<string>
}

/** What is put around each document. */
export interface DocumentTokenOptions {
  /** Ends each document with the end-of-text token, so that the model learns to stop. Default true. */
  appendEos?: boolean
  /** Begins each document with the beginning-of-text token. Default false. */
  prependBos?: boolean
  /** Reads control tokens that are spelled in the texts; what stands at an end already is not put there again. Default false. */
  allowSpecial?: boolean
}

/** How tokens are cut into blocks. */
export interface BlockOptions {
  /** Tokens in a block. */
  blockLength: number
  /** Records where documents start, so that they do not see each other and none is asked to predict the next one's start. */
  boundaries?: boolean
  /** Leaves out a last block that is shorter. A block of one token, which predicts nothing, is always left out. */
  dropShortBlock?: boolean
}

/** A packed corpus. */
export interface PackedDataset extends Dataset<Sample> {
  readonly numTokens: number
  readonly numDocuments: number
  close(): void
}

/** Tokenizes documents and packs them into blocks. Documents without a token are left out. */
export async function packDocuments(
  documents: AsyncIterable<PackableDocument> | Iterable<PackableDocument>,
  encoder: TextEncoder,
  options: BlockOptions & DocumentTokenOptions & Pick<TokenWriterOptions, 'maxMemoryBytes'>,
): Promise<PackedDataset> {
  checkBlockLength(options)
  const writer = new TokenWriter({ vocabSize: encoder.vocabSize, maxMemoryBytes: options.maxMemoryBytes })
  try {
    await writeDocuments(documents, encoder, options, writer)
    return cutBlocks(writer.finish(), options)
  } catch (error) {
    writer.abort()
    throw error
  }
}

/** A text to pack. One that was cut for its length goes on in the next of the same file: nothing is put between the two. */
export interface PackableDocument {
  text: string
  id?: { file: string }
  isContinued?: true
}

/** Tokenizes documents into a writer. */
export async function writeDocuments(
  documents: AsyncIterable<PackableDocument> | Iterable<PackableDocument>,
  encoder: TextEncoder,
  { appendEos = true, prependBos = false, allowSpecial = false }: DocumentTokenOptions,
  writer: TokenWriter,
): Promise<void> {
  const eos = appendEos ? special(encoder.eosTokenId, 'end-of-text', 'appendEos') : undefined
  const bos = prependBos ? special(encoder.bosTokenId, 'beginning-of-text', 'prependBos') : undefined
  let open: PackableDocument | undefined // a document whose end has not come
  let last: number | undefined
  const end = (): void => {
    if (eos !== undefined && !(allowSpecial && last === eos)) writer.append([eos])
  }
  for await (const document of documents) {
    const ids = encoder.encode(document.text, { addSpecialTokens: false, allowSpecial })
    const goesOn = open !== undefined && open.id?.file === document.id?.file
    if (open !== undefined && !goesOn) end()
    const isBegun = bos === undefined || (allowSpecial && ids[0] === bos)
    if (goesOn) writer.append(ids)
    else if (ids.length > 0) writer.addDocument(isBegun ? [] : [bos], ids)
    if (ids.length > 0) last = ids[ids.length - 1]
    if (document.isContinued) open = goesOn || ids.length > 0 ? document : undefined
    else {
      if (goesOn || ids.length > 0) end()
      open = undefined
    }
  }
  if (open !== undefined) end()
}

function special(id: number | undefined, name: string, option: string): number {
  if (id !== undefined) return id
  throw new UsageError(`${option}: expected a tokenizer with an ${name} token, got one without. Set ${option} to false`)
}

/** Views a token store as blocks. */
export function cutBlocks(store: TokenStore, options: BlockOptions): PackedDataset {
  checkBlockLength(options)
  const { blockLength, boundaries = false, dropShortBlock = false } = options
  const full = Math.floor(store.length / blockLength)
  const hasShortBlock = !dropShortBlock && store.length % blockLength > 1
  return {
    length: full + (hasShortBlock ? 1 : 0),
    numTokens: store.length,
    numDocuments: store.documentStarts.length,
    get(index) {
      const start = index * blockLength
      const end = Math.min(start + blockLength, store.length)
      const ids = store.read(start, end)
      const labels = ids.slice()
      if (!boundaries) return { ids, labels }
      const starts = startsWithin(store.documentStarts, start, end)
      // The token before a document's first belongs to another document and must not be asked for it.
      for (const at of starts) labels[at] = IGNORE_INDEX
      return { ids, labels, starts }
    },
    close: () => store.close(),
  }
}

/** Called before hours of tokenizing, too. */
export function checkBlockLength({ blockLength }: BlockOptions): void {
  if (Number.isInteger(blockLength) && blockLength >= 2) return
  throw new UsageError(`blockLength: expected an integer of at least 2, got ${blockLength}`)
}

/** Offsets in the block at which a document starts; 0 comes first, whether or not one starts there. */
function startsWithin(documentStarts: Float64Array, start: number, end: number): Int32Array {
  const starts = [0]
  for (let i = firstAbove(documentStarts, start); i < documentStarts.length && documentStarts[i]! < end; i++) {
    starts.push(documentStarts[i]! - start)
  }
  return Int32Array.from(starts)
}

/** Index of the first element greater than `value` in an ascending array. */
function firstAbove(ascending: Float64Array, value: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ascending[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}
