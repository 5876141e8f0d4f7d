// Texts that must not be learnt, such as the items of an evaluation, read from files.

import { readRows } from '../read/sources.ts'
import { WordRuns } from '../word-runs.ts'
import type { ContaminationSettings } from './settings.ts'

/** Where an item stands. */
export interface EvalItem {
  file: string
  row: number
}

/** All items of the files. */
export class ContaminationIndex {
  readonly items: EvalItem[] = []
  /** Items that have too few words to be looked for. */
  tooShort = 0
  private readonly runs: WordRuns

  private constructor(ngram: number) {
    this.runs = new WordRuns(ngram)
  }

  /** Reads the files: an item is a row, and each of its texts is looked for by itself. */
  static async read({ files, ngram }: ContaminationSettings): Promise<ContaminationIndex> {
    const index = new ContaminationIndex(ngram)
    for await (const { row, id } of readRows([...files].sort(), { maxBadFraction: 1 }))
      index.add({ file: id.file, row: id.line }, textsOf(row))
    return index
  }

  /** 1 + the number of the first item that the text shares a run with; 0 for none. */
  find(text: string): number {
    let first = Number.POSITIVE_INFINITY
    for (const item of this.runs.find(text)) first = Math.min(first, item + 1)
    return first === Number.POSITIVE_INFINITY ? 0 : first
  }

  private add(item: EvalItem, texts: readonly string[]): void {
    const number = this.items.push(item) - 1
    // All of them: `some` would stop at the first.
    if (texts.filter((text) => this.runs.add(text, number)).length === 0) this.tooShort++
  }
}

/** All texts of a row, also inside lists and objects; each by itself. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsOf)
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}
