// Gates that read no model: how popular the question's subject is, which relation it asks for, and lots. Fitted to records, each is a score
// for questions: the larger the more is retrieval wanted.
import { UsageError } from '../../errors.ts'
import { PythonRandom } from '../python-random.ts'
import { bestThreshold } from './gate-curve.ts'
import { byRelation, type GateLabel, type GateRecord, isWanted, rightness } from './gate-record.ts'

/** What is known of a question before anything is asked. */
export type GateQuestion = Pick<GateRecord, 'question' | 'relation' | 'popularity'>

/** Scores questions. */
export type ScoreQuestion = (question: GateQuestion) => number

/** The rarer the subject, the higher: −log of its popularity. */
export function popularityScore({ popularity, question }: GateQuestion): number {
  if (popularity !== undefined && popularity > 0) return -Math.log(popularity)
  throw new UsageError(
    `popularity: expected a number above 0 for each question, got ${popularity ?? 'none'} for ${JSON.stringify(question)}`,
  )
}

/** A relation for which nothing is looked up stays below 0, however rare a subject is. */
const BELOW = -1e-9

/**
 * A threshold of popularity for each relation, the best on these records (Mallen et al. 2023). The score is the logarithm of threshold over
 * popularity, so retrieval begins at 0, and scores of all relations are in one order. Where looking up helps nowhere in a relation, its threshold
 * is half of the popularity of its rarest subject, and what is rarer still is held just below 0. Unknown relations take the threshold of all.
 */
export function fitRelationPopularity(records: readonly GateRecord[]): ScoreQuestion {
  const scoreOf = (some: readonly GateRecord[]): ScoreQuestion => {
    const scores = some.map(popularityScore)
    const best = bestThreshold(scores, some.map(rightness))
    if (best !== Number.POSITIVE_INFINITY) return (question) => popularityScore(question) - best
    const rarest = scores.reduce((most, score) => Math.max(most, score))
    return (question) => Math.min(popularityScore(question) - rarest - Math.LN2, BELOW)
  }
  const all = scoreOf(records)
  const relations = new Map<string, ScoreQuestion>()
  for (const [relation, some] of byRelation(records)) relations.set(relation, scoreOf(some))
  return (question) => (relations.get(question.relation ?? '') ?? all)(question)
}

/** How often retrieval was wanted for the relation: (wanted + 1) / (questions + 2); ½ for one that was not seen. */
export function fitRelationPrior(records: readonly GateRecord[], label: GateLabel): ScoreQuestion {
  const counts = new Map<string, { wanted: number; of: number }>()
  for (const record of records) {
    const count = counts.get(record.relation ?? '') ?? { wanted: 0, of: 0 }
    counts.set(record.relation ?? '', {
      wanted: count.wanted + Number(isWanted(rightness(record), label)),
      of: count.of + 1,
    })
  }
  return ({ relation = '' }) => {
    const { wanted, of } = counts.get(relation) ?? { wanted: 0, of: 0 }
    return (wanted + 1) / (of + 2)
  }
}

/** Lots: the same for the same seed. */
export function randomScore(seed: number): ScoreQuestion {
  const random = new PythonRandom(seed)
  return () => random.random()
}
