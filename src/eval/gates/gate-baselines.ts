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

/**
 * A threshold of popularity for each relation, the best on these records (Mallen et al. 2023). Scores are 0 at the threshold, so retrieval
 * begins at 0; a relation that is always looked up has Infinity, one that never is −Infinity. Unknown relations take the threshold of all.
 */
export function fitRelationPopularity(records: readonly GateRecord[]): ScoreQuestion {
  const best = (some: readonly GateRecord[]): number => bestThreshold(some.map(popularityScore), some.map(rightness))
  const all = best(records)
  const thresholds = new Map<string, number>()
  for (const [relation, some] of byRelation(records)) thresholds.set(relation, best(some))
  return (question) => popularityScore(question) - (thresholds.get(question.relation ?? '') ?? all)
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
