// What some tasks need besides data: who says how toxic a text is, which language it is in, and how fluent it is.

import type { LanguageIdentifier } from '../../data/language/identifier.ts'
import type { Lm } from '../../lm/lm.ts'
import type { ReadOptions } from '../documents.ts'
import type { ToxicityScorer } from '../toxicity/scorer.ts'

/** Documents, and who judges the answers to them. */
export interface SuiteOptions extends ReadOptions {
  /** Of `toxicity`. */
  scorer?: ToxicityScorer | undefined
  /** Of `toxicity`, `consistency` and `diversity`; default: the library's 60 languages (`eld`). */
  identifier?: LanguageIdentifier | undefined
  /** English words, lower case, of `consistency` in languages whose script is not Latin. */
  englishWords?: ReadonlySet<string> | undefined
  /** Says how fluent continuations are, where it is given. */
  judge?: Lm | undefined
}
