// Holding out where documents are few: by whole documents the share would be a matter of luck (one file is on one side). Each long
// document gives a passage in place of that, and what stands on both sides of it is not read, so that no sentence is on both sides.

import { createHash } from 'node:crypto'
import { type Side, type SplitOptions, sideOf } from './split.ts'

/** With fewer documents than this expected on either side their number says little. */
const ENOUGH = 8
/** Characters of the shortest passage; a document too short for it is held out whole, or not. */
const LEAST = 200
/** Characters that are left out on both sides of a passage: a quarter of it, but no more than this. */
export const GUARD = 1000

/** Whether so few documents come that whole ones cannot make up the share; a text that was cut for its length counts once. */
export async function areFew(
  documents: AsyncIterable<{ isContinued?: true }>,
  { fraction }: Pick<SplitOptions, 'fraction'>,
): Promise<boolean> {
  const wanted = ENOUGH / Math.min(fraction, 1 - fraction)
  if (!Number.isFinite(wanted)) return false
  let count = 0
  for await (const { isContinued } of documents) if (!isContinued && ++count >= wanted) return false
  return true
}

/** The passages on one side. Held out is one stretch of each long document, where its text says; the rest, but for the guards, is not. */
export async function* passagesOn<D extends { text: string; isContinued?: true }>(
  documents: AsyncIterable<D>,
  side: Side,
  options: SplitOptions,
): AsyncGenerator<D> {
  for await (const { isContinued: _, ...document } of documents) {
    const { text } = document
    for (const passage of cut(text, side, options)) yield { ...document, text: passage } as unknown as D
  }
}

function cut(text: string, side: Side, options: SplitOptions): string[] {
  const { fraction } = options
  const length = Math.round(fraction * text.length)
  if (length < LEAST || text.length - length < LEAST) return sideOf(text, options) === side ? [text] : []
  const begun = wordStart(text, Math.floor(placeOf(text, options) * (text.length - length)))
  const end = wordStart(text, begun + length)
  if (side === 'validation') return [text.slice(begun, end)]
  const guard = Math.min(GUARD, length >> 2)
  return [text.slice(0, wordStart(text, begun - guard)), text.slice(wordStart(text, end + guard))].filter(
    (part) => part.trim() !== '',
  )
}

/** A number from 0 to 1 that the text alone decides. */
function placeOf(text: string, { salt = '' }: SplitOptions): number {
  return createHash('sha256').update(`${salt}\0place\0`).update(text).digest().readUIntBE(0, 6) / 2 ** 48
}

/** Where a word begins at or soon after `at`. */
function wordStart(text: string, at: number): number {
  if (at <= 0) return 0
  const space = /\s/g
  space.lastIndex = at - 1
  const found = space.exec(text)
  if (found !== null && found.index < at + 100) return found.index + 1
  // Texts without spaces: at least no character is cut in half.
  return /[\udc00-\udfff]/.test(text[at] ?? '') ? at + 1 : at
}
