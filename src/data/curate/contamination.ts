// Texts that must not be learnt, such as the items of an evaluation: runs of words that a document shares with one of them (Brown et
// al. 2020, appendix C). Only hashes of runs are held.

import { readRows } from '../read/sources.ts'
import type { MinHasher } from './minhash.ts'
import type { ContaminationSettings } from './settings.ts'
import { simplifiedWords } from './simplify.ts'

/** A shorter item says too little: it would be found anywhere. */
const LEAST_WORDS = 5

/** Where an item stands. */
export interface EvalItem {
  file: string
  row: number
}

/** Runs of words of all items of the files. */
export class ContaminationIndex {
  readonly items: EvalItem[] = []
  /** Items with fewer than five words, which cannot be looked for. */
  tooShort = 0
  /** Words of a run → hash of a run → 1 + the item. */
  private readonly runs = new Map<number, Map<number, number>>()
  private readonly hasher: MinHasher

  private constructor(hasher: MinHasher) {
    this.hasher = hasher
  }

  /** Reads the files: an item is a row, and all its texts in order are what is looked for. */
  static async read({ files, ngram }: ContaminationSettings, hasher: MinHasher): Promise<ContaminationIndex> {
    const index = new ContaminationIndex(hasher)
    for await (const { row, id } of readRows([...files].sort(), { maxBadFraction: 1 }))
      index.add({ file: id.file, row: id.line }, textsOf(row), ngram)
    return index
  }

  /** 1 + the number of an item that the text shares a run with; 0 for none. */
  find(simplified: string): number {
    for (const [n, runs] of this.runs)
      for (const hash of this.hasher.shingles(simplified, n)) {
        const item = runs.get(hash)
        if (item !== undefined) return item
      }
    return 0
  }

  private add(item: EvalItem, texts: readonly string[], ngram: number): void {
    const number = this.items.push(item)
    let isTold = false
    for (const text of texts) {
      const simplified = simplifiedWords(text)
      const words = simplified === '' ? 0 : simplified.split(' ').length
      const n = Math.min(ngram, words)
      if (n < LEAST_WORDS) continue
      isTold = true
      const runs = this.runs.get(n) ?? new Map<number, number>()
      this.runs.set(n, runs)
      for (const hash of this.hasher.shingles(simplified, n)) if (!runs.has(hash)) runs.set(hash, number)
    }
    if (!isTold) this.tooShort++
  }
}

/** All texts of a row, also inside lists and objects; each by itself. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsOf)
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}
