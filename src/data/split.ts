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
export function sideOf(text: string, options: SplitOptions): Side {
  return rankOf(text, options) < options.fraction ? 'validation' : 'train'
}

/** The number in [0, 1) that decides the side of a text: it is held out where that is below the fraction. */
export function rankOf(text: string, { fraction, salt = '' }: SplitOptions): number {
  if (!(fraction >= 0 && fraction <= 1))
    throw new UsageError(`fraction: expected a number from 0 to 1, got ${fraction}`)
  const digest = createHash('sha256').update(`${salt}\0`).update(text).digest()
  // 48 bits of the hash.
  return digest.readUIntBE(0, 6) / 2 ** 48
}

/** The part, 0 … folds − 1, that a text belongs to: by its text alone, so equal texts are never on both sides of one. */
export function foldOf(text: string, folds: number): number {
  return Math.floor(rankOf(text, { fraction: 1, salt: 'fold' }) * folds)
}

/**
 * The fraction below which ranks are held out. With many texts it is the one asked for; with so few that their number is a matter of luck
 * it is moved to where the share comes out, with one text at least on either side.
 */
export function fractionFor(ranks: readonly number[], fraction: number): number {
  const isEnough = ranks.length * Math.min(fraction, 1 - fraction) >= 8
  if (fraction === 0 || fraction === 1 || isEnough || ranks.length < 2) return fraction
  const sorted = ranks.toSorted((a, b) => a - b)
  const count = Math.min(ranks.length - 1, Math.max(1, Math.round(fraction * ranks.length)))
  // Equal texts have equal ranks and stay together.
  return sorted.find((rank, i) => i >= count && rank > sorted[0]!) ?? fraction
}

/** The documents on one side; read the source once for each side. A text that was cut for its length stays on the side of its beginning. */
export async function* onSide<D extends { text: string; isContinued?: true }>(
  documents: AsyncIterable<D> | Iterable<D>,
  side: Side,
  options: SplitOptions,
): AsyncGenerator<D> {
  let begun: Side | undefined
  for await (const document of documents) {
    const here = begun ?? sideOf(document.text, options)
    begun = document.isContinued ? here : undefined
    if (here === side) yield document
  }
}
