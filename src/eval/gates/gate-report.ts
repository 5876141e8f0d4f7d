// What a gate's decisions are worth, on questions of which both answers are known.
import { areaUnderRoc, ranksOf } from '../../data/ranks.ts'
import { UsageError } from '../../errors.ts'
import { aggregate, mean } from '../aggregate.ts'
import { drawnDifference, mcNemar } from '../compare.ts'
import { squadExactMatch, squadF1 } from '../metrics/squad.ts'
import { type GateLabel, type GateRecord, grouped, isWanted, type Rightness, rightness } from './gate-record.ts'

/** What a gate does with some questions. */
export interface GateDecisions {
  /** For each question: whether something is retrieved. */
  retrieve: readonly boolean[]
  /** For each question, the larger the more is retrieval wanted. Without them, areas and correlation are null. */
  scores?: readonly number[]
  /** Calls of the model that decide, besides the one that answers; a gate that needs the answer without documents has one. Default 0. */
  extraCalls?: number
}

/** The difference of two accuracies over the same questions. */
export interface PairedDifference {
  difference: number
  /** 95 %, by drawing questions in pairs. */
  low: number
  high: number
  /** McNemar's exact test. */
  p: number
}

/** The figures of one gate; shares are of all questions. */
export interface GateReport {
  questions: number
  /** The share that contains a right answer (AdaRAGUE's In-accuracy). */
  accuracy: number
  /** SQuAD's exact match and F1, the best over the right answers. */
  exactMatch: number
  f1: number
  /** Retriever calls per question: the paper's POR as a share. */
  retrieverCalls: number
  /** Calls of the model per question: the answer's, and those that decide. */
  modelCalls: number
  /** How well the scores tell questions that the model cannot answer by itself from those that it can. Null without scores or with one kind only. */
  auc: number | null
  /** The same among pairs of questions of one relation. */
  aucWithinRelations: number | null
  /** Spearman's ρ of score and wrong answer. */
  correlation: number | null
  /** Not looked up, and the model's own answer is wrong. */
  overconfidence: number
  /** Looked up, although the model's own answer is right. */
  underconfidence: number
  /** Neither of the two: accuracy of self-knowledge. */
  selfKnowledge: number
  /** Against no retrieval: right where it was wrong; wrong where it was right; right both times; wrong both times. */
  rescued: number
  harmed: number
  both: number
  neither: number
  /** What a gate has on average that retrieves as often by lot. */
  randomAccuracy: number
  againstNone: PairedDifference
  againstFull: PairedDifference
}

/** What decisions are worth. UsageError where there is not one for each record. */
export function gateReport(records: readonly GateRecord[], decisions: GateDecisions): GateReport {
  const { retrieve, scores, extraCalls = 0 } = decisions
  const n = records.length
  if (n === 0 || retrieve.length !== n || (scores !== undefined && scores.length !== n))
    throw new UsageError(`decisions: expected one for each of ${n} questions, got ${retrieve.length}`)
  const outcomes = records.map(rightness)
  const isRight = outcomes.map((outcome, i) => (retrieve[i] ? outcome.retrieved : outcome.closed))
  const texts = records.map(({ closed, retrieved }, i) => firstLine(retrieve[i] ? retrieved.text : closed.text))
  const best = (metric: (gold: string, answer: string) => number): number =>
    mean(records.map(({ gold }, i) => Math.max(...gold.map((answer) => metric(answer, texts[i]!)))))
  const share = (isOne: (outcome: Rightness, i: number) => boolean): number => outcomes.filter(isOne).length / n
  const [none, full] = [share(({ closed }) => closed), share(({ retrieved }) => retrieved)]
  const rate = share((_, i) => retrieve[i]!)
  const wrong = outcomes.map(({ closed }) => !closed)
  const overconfidence = share(({ closed }, i) => !retrieve[i] && !closed)
  const underconfidence = share(({ closed }, i) => retrieve[i]! && closed)
  return {
    questions: n,
    accuracy: mean(isRight.map(Number)),
    exactMatch: best(squadExactMatch),
    f1: best(squadF1),
    retrieverCalls: rate,
    modelCalls: 1 + extraCalls,
    auc: scores === undefined ? null : orNull(areaUnderRoc(scores, wrong)),
    aucWithinRelations: scores === undefined ? null : aucWithin(records, scores, wrong),
    correlation: scores === undefined ? null : rankCorrelation(scores, wrong.map(Number)),
    overconfidence,
    underconfidence,
    selfKnowledge: 1 - overconfidence - underconfidence,
    rescued: share(({ closed }, i) => isRight[i]! && !closed),
    harmed: share(({ closed }, i) => !isRight[i] && closed),
    both: share(({ closed }, i) => isRight[i]! && closed),
    neither: share(({ closed }, i) => !isRight[i] && !closed),
    randomAccuracy: none + rate * (full - none),
    againstNone: pairedDifference(
      outcomes.map(({ closed }) => closed),
      isRight,
    ),
    againstFull: pairedDifference(
      outcomes.map(({ retrieved }) => retrieved),
      isRight,
    ),
  }
}

/** Decisions of a threshold: questions that score at least this are looked up. */
export function atThreshold(scores: readonly number[], threshold: number): GateDecisions {
  // An infinite threshold is never, whatever the scores.
  return { retrieve: scores.map((score) => threshold !== Number.POSITIVE_INFINITY && score >= threshold), scores }
}

/** Looks up by the labels themselves: the best that a gate can do. With `parametric-wrong`, questions that are wrong both ways are looked up. */
export function oracleDecisions(records: readonly GateRecord[], label: GateLabel): GateDecisions {
  return { retrieve: records.map((record) => isWanted(rightness(record), label)) }
}

/** Accuracy after − before of the same questions, each right or wrong, with its interval and how often chance alone gives as much. */
export function pairedDifference(before: readonly boolean[], after: readonly boolean[]): PairedDifference {
  const pairs = before.map((value, i) => [Number(value), Number(after[i]), i] as const)
  const better = pairs.filter(([a, b]) => b > a).length
  const changed = pairs.filter(([a, b]) => a !== b).length
  const { low, high } = drawnDifference('mean', pairs)
  const side = (place: 0 | 1): number =>
    aggregate(
      'mean',
      pairs.map((pair) => pair[place]),
    )
  return { difference: side(1) - side(0), low, high, p: mcNemar(better, changed) }
}

/** Of all pairs of a wrong and a right question of one relation, the share that the scores order as it should be, ties half. */
function aucWithin(
  records: readonly GateRecord[],
  scores: readonly number[],
  wrong: readonly boolean[],
): number | null {
  let ordered = 0
  let pairs = 0
  const groups = grouped([...records.keys()], (i) => records[i]!.relation ?? '')
  for (const places of groups.values()) {
    const positives = places.map((i) => wrong[i]!)
    const found = positives.filter(Boolean).length
    const size = found * (places.length - found)
    if (size === 0) continue
    const own = places.map((i) => scores[i]!)
    ordered += size * areaUnderRoc(own, positives)
    pairs += size
  }
  return pairs === 0 ? null : ordered / pairs
}

/** Pearson's correlation of the ranks; null where one side is the same throughout. */
function rankCorrelation(x: readonly number[], y: readonly number[]): number | null {
  const [a, b] = [x, y].map((values) => {
    const ranks = ranksOf(values)
    const middle = mean(ranks)
    return ranks.map((rank) => rank - middle)
  }) as [number[], number[]]
  const product = (p: readonly number[], q: readonly number[]): number =>
    p.reduce((sum, value, i) => sum + value * q[i]!, 0)
  return orNull(product(a, b) / Math.sqrt(product(a, a) * product(b, b)))
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value)

const firstLine = (text: string): string => text.replace(/^\n+/, '').split('\n')[0]!.trim()
