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

/** Windows to look at, and others to judge by. */
export interface HeldOutBatches {
  calibration: Batch[]
  /** No window of `calibration`. */
  evaluation: Batch[]
}

/**
 * Windows of the texts under `paths`. Documents begin as the tokenizer has them begin; where it puts nothing before them, they end with
 * the end-of-text token. InputError where the text does not fill one window.
 */
export async function calibrationBatches(
  paths: readonly string[],
  tokenizer: TextEncoder & { encode(text: string): ArrayLike<number> },
  options: CalibrationOptions,
): Promise<Batch[]> {
  return (await draw(paths, tokenizer, options, 0)).calibration
}

/** The same, and as many other windows, or as many as there are; where the text has none left, both get a half of what it has. */
export async function heldOutBatches(
  paths: readonly string[],
  tokenizer: TextEncoder & { encode(text: string): ArrayLike<number> },
  options: CalibrationOptions,
): Promise<HeldOutBatches> {
  return draw(paths, tokenizer, options, options.samples)
}

async function draw(
  paths: readonly string[],
  tokenizer: TextEncoder & { encode(text: string): ArrayLike<number> },
  { length, samples, batchSize = 1, seed = 0, ...reading }: CalibrationOptions,
  heldOut: number,
): Promise<HeldOutBatches> {
  const { bosTokenId, eosTokenId } = tokenizer
  const prependBos = bosTokenId !== undefined && tokenizer.encode('')[0] === bosTokenId
  const windows = await packDocuments(readDocuments(paths, reading), tokenizer, {
    blockLength: length,
    dropShortBlock: true,
    prependBos,
    appendEos: !prependBos && eosTokenId !== undefined,
  })
  try {
    const least = heldOut > 0 ? 2 : 1
    if (windows.length < least) {
      const what = least === 1 ? 'which is one window' : 'which is one window to measure on and one to evaluate'
      throw new InputError(
        `calibration text in ${paths.join(', ')}: expected at least ${least * length} tokens, ${what}, got ${windows.numTokens}. Give more text, or a smaller length`,
      )
    }
    const shuffled = order(windows.length, seed)
    const first = Math.min(samples, windows.length)
    const middle = heldOut > 0 && first === windows.length ? Math.ceil(first / 2) : first
    const from = (start: number, end: number): Batch[] => {
      const drawn = Array.from({ length: Math.max(0, end - start) }, (_, i) => windows.get(shuffled(0, start + i)))
      return Array.from({ length: Math.ceil(drawn.length / batchSize) }, (_, i) =>
        stack(drawn.slice(i * batchSize, (i + 1) * batchSize)),
      )
    }
    return { calibration: from(0, middle), evaluation: from(middle, Math.min(middle + heldOut, windows.length)) }
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
