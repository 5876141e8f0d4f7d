// Text for looking at a model instead of training it: some windows of equal length, drawn from files under a seed.
import { InputError } from '../errors.ts'
import { ContentHash } from '../files/hash.ts'
import type { Batch } from './batch.ts'
import { stack } from './batches.ts'
import { order } from './order.ts'
import { packDocuments, type TextEncoder } from './packing/pack.ts'
import { type DocumentOptions, readDocuments } from './read/sources.ts'

/** Which windows of text to draw, and how many tokens each has. */
export interface CalibrationOptions extends DocumentOptions {
  /** Tokens in a window. */
  length: number
  /** Windows to draw; fewer where the text has no more. */
  samples: number
  /** Windows in a batch. Default 1. */
  batchSize?: number
  seed?: number
}

/**
 * Windows of the texts under `paths`. Documents begin as the tokenizer has them begin; where it puts nothing before them, they end with
 * the end-of-text token. InputError where the text does not fill one window.
 */
export async function calibrationBatches(
  paths: readonly string[],
  tokenizer: TextEncoder & { encode(text: string): ArrayLike<number> },
  { length, samples, batchSize = 1, seed = 0, ...reading }: CalibrationOptions,
): Promise<Batch[]> {
  const { bosTokenId, eosTokenId } = tokenizer
  const prependBos = bosTokenId !== undefined && tokenizer.encode('')[0] === bosTokenId
  const windows = await packDocuments(readDocuments(paths, reading), tokenizer, {
    blockLength: length,
    dropShortBlock: true,
    prependBos,
    appendEos: !prependBos && eosTokenId !== undefined,
  })
  try {
    if (windows.length === 0) {
      throw new InputError(
        `calibration text in ${paths.join(', ')}: expected at least ${length} tokens, which is one window, got ${windows.numTokens}. Give more text, or a smaller length`,
      )
    }
    const shuffled = order(windows.length, seed)
    const drawn = Array.from({ length: Math.min(samples, windows.length) }, (_, i) => windows.get(shuffled(0, i)))
    return Array.from({ length: Math.ceil(drawn.length / batchSize) }, (_, i) =>
      stack(drawn.slice(i * batchSize, (i + 1) * batchSize)),
    )
  } finally {
    windows.close()
  }
}

/** sha256 of all that a model sees of the batches. */
export function hashBatches(batches: readonly Batch[]): string {
  const hash = new ContentHash()
  for (const { rows, length, inputIds, labels } of batches) hash.add(`${rows} ${length}`, inputIds, labels)
  return hash.digest()
}
