// Every gate on the same questions: fitted on some, its threshold tuned on others, reported on the rest.
import { InputError } from '../../errors.ts'
import {
  fitRelationPopularity,
  fitRelationPrior,
  popularityScore,
  type ScoreQuestion,
} from '../../eval/gates/gate-baselines.ts'
import { bestThreshold, gateCurve } from '../../eval/gates/gate-curve.ts'
import { type GateLabel, type GateRecord, isWanted, rightness } from '../../eval/gates/gate-record.ts'
import {
  atThreshold,
  type GateDecisions,
  type GateReport,
  gateReport,
  oracleDecisions,
} from '../../eval/gates/gate-report.ts'
import { fitQuestionClassifier } from '../../eval/gates/question-classifier.ts'
import { splitByEntity } from '../../eval/gates/split-by-entity.ts'
import { UNCERTAINTIES, uncertaintyOf } from '../../eval/gates/uncertainty.ts'
import { fitProbe, type ProbeOptions } from '../../methods/ei-arag/ei-arag.ts'
import { probeProbability } from '../../prompting/base/question-probe.ts'
import { turn, type Watch } from '../../work.ts'

/** A record with the model's vectors of its question, one for each layer from 0. */
export interface VectorRecord extends GateRecord {
  vectors?: readonly Float32Array[]
}

/** One gate on the test questions. */
export interface GateResult extends GateReport {
  gate: string
  /** Null where there is none, or where nothing is looked up. */
  threshold: number | null
  /** Area under the curve of accuracy over retrieval, and above that of lots; null without scores. */
  area: number | null
  gain: number | null
  /** Share retrieved and accuracy at every threshold. */
  curve: readonly (readonly [number, number])[]
}

/** All gates. */
export interface GateSweep {
  label: GateLabel
  seed: number
  questions: { train: number; validation: number; test: number }
  gates: GateResult[]
}

/** What is fitted. */
export interface SweepOptions extends Omit<ProbeOptions, 'signal'> {
  /** Default `better`. */
  label?: GateLabel
  /** Cuts questions into words for the classifier of words. */
  words?: (question: string) => readonly string[]
}

/** Measures every gate that the records have what it needs for; probes where they have vectors. InputError for labels of one kind only. */
export async function sweepGates(
  records: readonly VectorRecord[],
  { label = 'better', seed = 0, words, ...probe }: SweepOptions = {},
  watch: Watch = {},
): Promise<GateSweep> {
  const [train, validation, test] = splitByEntity(records, { seed }) as VectorRecord[][]
  const wanted = (record: GateRecord): boolean => isWanted(rightness(record), label)
  if (new Set(train!.map(wanted)).size < 2)
    throw new InputError(`records: expected questions with and without retrieval wanted (${label}), got one kind only`)
  const outcomes = [validation!, test!].map((part) => part.map(rightness))
  const results: GateResult[] = []
  const report = (gate: string, decisions: GateDecisions, threshold: number | null): void => {
    const { scores } = decisions
    const curve = scores === undefined ? undefined : gateCurve(scores, outcomes[1]!)
    results.push({
      gate,
      threshold: threshold === null || !Number.isFinite(threshold) ? null : threshold,
      ...gateReport(test!, decisions),
      area: curve?.area ?? null,
      gain: curve?.gain ?? null,
      curve: (curve?.points ?? []).map(({ retrieved, accuracy }) => [retrieved, accuracy] as const),
    })
  }
  const scored = (gate: string, score: (record: VectorRecord) => number, extraCalls = 0): void => {
    const threshold = bestThreshold(validation!.map(score), outcomes[0]!)
    report(gate, { ...atThreshold(test!.map(score), threshold), extraCalls }, threshold)
  }
  report('none', { retrieve: test!.map(() => false) }, null)
  report('full', { retrieve: test!.map(() => true) }, null)
  for (const rule of ['better', 'parametric-wrong'] as const)
    report(`oracle, ${rule}`, oracleDecisions(test!, rule), null)
  const known = [...train!, ...validation!]
  if (records.every(({ popularity }) => popularity !== undefined)) {
    scored('popularity', popularityScore)
    const score: ScoreQuestion = fitRelationPopularity(known)
    report('popularity by relation', atThreshold(test!.map(score), 0), 0)
  }
  if (records.some(({ relation }) => relation !== undefined)) scored('relation', fitRelationPrior(train!, label))
  const classify = fitQuestionClassifier(
    train!.map(({ question }) => question),
    train!.map(wanted),
    {
      ...(words !== undefined && { words }),
    },
  )
  scored('words of the question', ({ question }) => classify(question))
  for (const kind of UNCERTAINTIES)
    if (
      records.every(
        ({ closed }) =>
          (kind === 'p-true' ? closed.pTrue : kind === 'max-probability' ? closed.logprobs : closed.entropies) !==
          undefined,
      )
    )
      scored(kind, ({ closed }) => uncertaintyOf(kind, closed), 1)
  const layers = Math.min(...records.map(({ vectors = [] }) => vectors.length))
  for (let layer = 0; layer < layers; layer++)
    for (const [name, hidden] of [
      ['linear', []],
      ['MLP', probe.hidden],
    ] as const) {
      await turn(watch)
      const examples = (part: readonly VectorRecord[]) =>
        part.map((record) => ({ vector: record.vectors![layer]!, isWanted: wanted(record) }))
      const fitted = fitProbe(examples(train!), examples(validation!), { ...probe, seed, ...(hidden && { hidden }) })
      const width = train![0]!.vectors![layer]!.length
      scored(`${name} probe, layer ${layer}`, ({ vectors }) =>
        probeProbability({ layers: fitted.layers, width }, vectors![layer]!),
      )
    }
  const sizes = { train: train!.length, validation: validation!.length, test: test!.length }
  return { label, seed, questions: sizes, gates: results }
}
