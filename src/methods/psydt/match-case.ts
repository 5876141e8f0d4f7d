// Which real case stands in the prompt of a record: TopicMatch, and what is done where no case is of the record's topic.

import type { PythonRandom } from '../../eval/python-random.ts'
import { Bm25 } from '../../retrieve/bm25.ts'
import type { Hit } from '../../retrieve/document.ts'
import { Refused } from '../../synth/recipe.ts'
import type { Case, CaseStore } from './cases.ts'
import type { SingleTurn } from './single-turns.ts'

/**
 * `topic`: a case of the record's topic, refused where there is none; `nearest`: the same, and where there is none the case whose client speaks
 * most like the record (BM25); `random`: any case, which is what the match is to be measured against.
 */
export type Match = 'topic' | 'nearest' | 'random'

/** A case, and how it was found. */
export interface MatchedCase {
  readonly case: Case
  readonly by: Match
  /** BM25, of `nearest`. */
  readonly score?: number
}

/** Makes what finds the case of a record. Of several of one topic, the row's own draw decides. */
export function caseMatcher(cases: CaseStore, match: Match): (record: SingleTurn, random: PythonRandom) => MatchedCase {
  let index: Bm25 | undefined
  const nearest = ({ title, detail }: SingleTurn): Hit | undefined => {
    index ??= new Bm25(cases.cases.map((one) => ({ id: one.id, text: `${one.topic}\n${clientText(one)}` })))
    return index.search(`${title}\n${detail}`, { k: 1 })[0]
  }
  return (record, random) => {
    const drawn = (some: readonly Case[]): Case => some[some.length === 1 ? 0 : random.below(some.length)]!
    if (match === 'random') return { case: drawn(cases.cases), by: 'random' }
    const same = record.topic === undefined ? [] : cases.of(record.topic)
    if (same.length > 0) return { case: drawn(same), by: 'topic' }
    const asked = record.topic === undefined ? 'a record without a topic' : `no case on ${JSON.stringify(record.topic)}`
    if (match === 'topic') throw new Refused(`${asked}; cases are on ${cases.topics.join(', ')}`, recordText(record))
    const hit = nearest(record)
    if (hit === undefined) throw new Refused(`${asked}, and none that shares a word with it`, recordText(record))
    return { case: cases.cases.find(({ id }) => id === hit.id)!, by: 'nearest', score: hit.score }
  }
}

const clientText = ({ turns }: Case): string =>
  turns.flatMap(({ speaker, text }) => (speaker === 'client' ? [text] : [])).join('\n')

const recordText = ({ title, detail }: SingleTurn): string => `${title}\n${detail}`.trim()
