// Which documents are held out for validation: decided by each document's text alone.
// The same text is on the same side in every run, file order and shard, and growing the fraction only adds to the side.

import { createHash } from 'node:crypto'
import { UsageError } from '../errors.ts'

/** The side of the split a document is on. */
export type Side = 'train' | 'validation'

/** How to split. */
export interface SplitOptions {
  /** The share of documents held out, 0 to 1. */
  fraction: number
  /** Another salt gives another split. Default none. */
  salt?: string
}

/** The side of one text. Equal texts are always on the same side, so a duplicate cannot leak. */
export function sideOf(text: string, { fraction, salt = '' }: SplitOptions): Side {
  if (!(fraction >= 0 && fraction <= 1))
    throw new UsageError(`fraction: expected a number from 0 to 1, got ${fraction}`)
  const digest = createHash('sha256').update(`${salt}\0`).update(text).digest()
  // 48 bits of the hash as a number in [0, 1).
  return digest.readUIntBE(0, 6) / 2 ** 48 < fraction ? 'validation' : 'train'
}

/** The documents on one side; read the source once for each side. */
export async function* onSide<D extends { text: string }>(
  documents: AsyncIterable<D> | Iterable<D>,
  side: Side,
  options: SplitOptions,
): AsyncGenerator<D> {
  for await (const document of documents) if (sideOf(document.text, options) === side) yield document
}
