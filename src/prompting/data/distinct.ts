// Documents without those that came before: the same text, or nearly the same.

import { createHash } from 'node:crypto'
import { asSet, jaccard, MinHasher } from '../../data/curate/minhash.ts'
import { simplifiedWords } from '../../data/curate/simplify.ts'
import { UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { Document } from './document.ts'

/** What counts as the same. */
export interface DistinctOptions {
  /**
   * The share of their runs of three words (case, numbers and punctuation aside) from which on two documents are the same, above 0 to 1. Default:
   * only the same text is.
   */
  near?: number
  /** Hears of each document that goes, and of the id that it goes for. */
  onDouble?: (document: Document, kept: string) => void
}

/** Above a share of .6 a pair is looked at with a probability of 98 %, above .7 of 99.9 % (1 − (1 − s⁴)²⁸). */
const SHAPE = { bands: 28, rows: 4, ngram: 3 }

/**
 * Hands documents on but for doubles of earlier ones. Of each that stays, its hash is held, and with `near` eight bytes a word besides.
 *
 * @example
 * for await (const part of distinct(splitDocuments(readDocuments('notes/'), { size: 800 }), { near: 0.9 })) …
 */
export async function* distinct(
  documents: AsyncIterable<Document> | Iterable<Document>,
  options: DistinctOptions = {},
): AsyncGenerator<Document, void, undefined> {
  checkOptionNames('distinct', options, { near: true, onDouble: true })
  const { near, onDouble } = options
  if (near !== undefined && !(near > 0 && near <= 1))
    throw new UsageError(`near: expected a share above 0 and up to 1, got ${near}`)
  const seen = new Map<string, string>()
  const alike = near === undefined ? undefined : new Alike(near)
  for await (const document of documents) {
    const key = createHash('sha256').update(document.text.trim()).digest('base64')
    const kept = seen.get(key) ?? alike?.findOrAdd(document)
    if (kept === undefined) {
      seen.set(key, document.id)
      yield document
    } else onDouble?.(document, kept)
  }
}

/** What has been kept, by the bands of its signatures. */
class Alike {
  private readonly near: number
  private readonly hasher = new MinHasher(SHAPE)
  private readonly kept: { id: string; runs: Float64Array }[] = []
  private readonly bands = new Map<string, number[]>()

  constructor(near: number) {
    this.near = near
  }

  /** The id of one that is near; undefined, and kept from now on, where there is none. */
  findOrAdd({ id, text }: Document): string | undefined {
    const words = simplifiedWords(text)
    const bytes = this.hasher.bandKeys(words)
    if (bytes === undefined) return undefined
    const runs = asSet(this.hasher.shingles(words))
    const keys = Array.from(
      { length: SHAPE.bands },
      (_, band) => `${band}:${Buffer.from(bytes.buffer, bytes.byteOffset + 8 * band, 8).toString('base64')}`,
    )
    const candidates = new Set(keys.flatMap((key) => this.bands.get(key) ?? []))
    for (const i of candidates) {
      const { id: other, runs: theirs } = this.kept[i]!
      if (jaccard(runs, theirs) >= this.near) return other
    }
    const place = this.kept.push({ id, runs }) - 1
    for (const key of keys) {
      const list = this.bands.get(key)
      if (list === undefined) this.bands.set(key, [place])
      else list.push(place)
    }
    return undefined
  }
}
