// What some tasks need besides data: who says how toxic a text is, which language it is in, and how fluent it is.

import type { LanguageIdentifier } from '../../data/language/identifier.ts'
import type { Embedder } from '../../lm/embedder.ts'
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
  /** Of `style`: which turns of a dialogue are answered; a number is the first so many. Default `all`. */
  turns?: 'all' | 'last' | number | undefined
  /** Of `style`: whose vectors of tokens BERTScore compares. */
  encoder?: Embedder | undefined
  /** Of `style`: says from 0 to 1 how much each answer is like what the same person would say; undefined where it cannot tell. */
  styleJudge?: StyleJudge | undefined
}

/** Compares answers with turns of the reference. */
export type StyleJudge = (
  asked: readonly { answer: string; reference: readonly string[] }[],
  options?: { signal?: AbortSignal },
) => Promise<(number | undefined)[]>
