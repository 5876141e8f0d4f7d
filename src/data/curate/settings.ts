// What a curation does, resolved: plain data that goes to worker threads and into the record of a run. Configuration becomes this.

import type { MinHashShape } from './minhash.ts'
import type { NormaliseOptions } from './normalise.ts'
import type { PiiOptions } from './pii.ts'
import type { Rules } from './rules.ts'

/** How the files of one source are read and judged. */
export interface SourceSettings {
  name: string
  /** Field that holds the text. */
  textKey: string
  /** Fields that go along to the output. */
  keep: readonly string[]
  /** As `TextDecoder` names it; undefined is UTF-8. */
  encoding?: string
  /** How running text becomes documents. */
  split: 'file' | 'blank-line' | 'line'
  rules: Rules
  /** Lines that match one of these go; documents that match one go. Regular expressions with the flag u. */
  dropLines: readonly string[]
  dropDocuments: readonly string[]
  /** What is known of its rights; stands beside each document. */
  licence?: string
}

/** Which languages stay. */
export interface LanguageSettings {
  /** `eld`, or the file of one that was trained. */
  identifier: string
  /** Labels of the identifier. */
  keep: readonly string[]
  /** Labels that are considered; all where empty. */
  among: readonly string[]
  minScore: number
  /** `detect` asks which language it is; `plausible` whether it may be this one, which short texts can answer too. */
  mode: 'detect' | 'plausible'
  /** Whether a text too short to tell stays. */
  keepUndetermined: boolean
}

/** How duplicates are found. */
export interface DedupSettings {
  exact: boolean
  near: 'verified' | 'datatrove' | 'none'
  shape: MinHashShape
  /** Least similarity of the sets of shingles (Jaccard) in `verified`. */
  threshold: number
}

/** Texts that must not be learnt. */
export interface ContaminationSettings {
  files: readonly string[]
  /** Words of a run. */
  ngram: number
}

/** Everything that decides what a part becomes. */
export interface MapSettings {
  /** Names inputs and settings; parts of another plan are not mixed with these. */
  plan: string
  sources: readonly SourceSettings[]
  normalise: NormaliseOptions
  language?: LanguageSettings
  pii: PiiOptions
  dedup: DedupSettings
  contamination?: ContaminationSettings
}

/** A stretch of one file: the unit of work, the same however many work on it. */
export interface Job {
  /** Place in the order of all; names its files. */
  index: number
  file: string
  /** Which of the sources. */
  source: number
  size: number
  /** Bytes whose lines belong to it, where a file is several jobs. */
  range?: readonly [from: number, to: number]
}
