// Lists of words in several languages as one scorer: each for the texts of its own language.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { type Lexicon, readLexicon } from './lexicon.ts'
import type { ScoreOptions, ScorerMeasurement, ToxicityScorer } from './scorer.ts'

const LIST = /^([a-z]{2,3})\.txt$/

/** The lists of a folder (`da.txt`) by language; none where the folder is something else. */
export function listsIn(directory: string): Map<string, string> {
  const lists = new Map<string, string>()
  for (const file of readdirSync(directory).sort()) {
    const language = LIST.exec(file)?.[1]
    if (language !== undefined) lists.set(language, join(directory, file))
  }
  return lists
}

/** Says nothing about a text in a language without a list: missing, which is not 0. */
export class Lexicons implements ToxicityScorer {
  readonly name: string
  readonly measured: ScorerMeasurement | undefined
  readonly #lists: ReadonlyMap<string, Lexicon>

  /** Reads all lists of a folder. InputError where there is none. */
  constructor(directory: string, measured?: ScorerMeasurement) {
    this.name = directory
    this.measured = measured
    this.#lists = new Map(Array.from(listsIn(directory), ([language, file]) => [language, readLexicon(file)]))
    if (this.#lists.size === 0)
      throw new InputError(`${directory}: expected lists of words that are named after languages (da.txt), got none`)
  }

  async score(texts: readonly string[], { language }: ScoreOptions = {}): Promise<(number | undefined)[]> {
    const list = language === undefined ? undefined : this.#lists.get(language)
    return list === undefined ? texts.map(() => undefined) : list.score(texts)
  }
}
