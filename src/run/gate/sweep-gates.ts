// Every gate on the same questions: fitted on some, its threshold tuned on others, reported on the rest.
import { InputError } from '../../errors.ts'
import {
  fitRelationPopularity,
  fitRelationPrior,
  popularityScore,
  type ScoreQuestion,
} from '../../eval/gates/gate-baselines.ts'
import { bestThreshold, gateCurve } from '../../eval/gates/gate-curve.ts'
import {
  type GateLabel,
  type GateRecord,
  isWanted,
  type RecordedAnswer,
  rightness,
  type SpentOn,
  saysYes,
} from '../../eval/gates/gate-record.ts'
import {
  atThreshold,
  type GateDecisions,
  type GateReport,
  gateReport,
  oracleDecisions,
} from '../../eval/gates/gate-report.ts'
import { fitQuestionClassifier, tuneQuestionClassifier } from '../../eval/gates/question-classifier.ts'
import { splitByEntity } from '../../eval/gates/split-by-entity.ts'
import { UNCERTAINTIES, type Uncertainty, uncertaintyOf } from '../../eval/gates/uncertainty.ts'
import { fitProbe, type ProbeOptions } from '../../methods/ei-arag/ei-arag.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { type ProbeLayer, probeProbability } from '../../prompting/base/question-probe.ts'
import { turn, type Watch } from '../../work.ts'
import { type GateCost, gateCost, type PartOf, spentOn, vectorFlops } from './gate-cost.ts'

/** A record with the model's vectors of its question, one for each layer from 0. */
export interface VectorRecord extends GateRecord {
  vectors?: readonly Float32Array[]
  /** What reading each took, and how many tokens were read. */
  vectorSeconds?: readonly number[]
  questionTokens?: number
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
  /** What it takes for each question; null where the records do not tell. */
  cost: GateCost | null
}

/** All gates. */
export interface GateSweep {
  label: GateLabel
  seed: number
  questions: { train: number; validation: number; test: number }
  gates: GateResult[]
  /** Gates that were not measured, and why. */
  left_out: { gate: string; why: string }[]
}

/** What is fitted. */
export interface SweepOptions extends Omit<ProbeOptions, 'signal'> {
  /** Default `better`. */
  label?: GateLabel
  /** Cuts questions into words for the classifier of words. */
  words?: (question: string) => readonly string[]
  /** The model's shapes, for what gates cost in operations. */
  config?: DecoderConfig | undefined
}

/** What deciding takes. */
interface Work {
  extraCalls?: number
  decide?: PartOf
  hasAnswer?: boolean
}

const FIELD_OF = {
  'max-probability': 'logprobs',
  'mean-entropy': 'entropies',
  'max-entropy': 'entropies',
  'p-true': 'pTrue',
} as const satisfies Record<Uncertainty, keyof RecordedAnswer>

const FREE: PartOf = () => ({ seconds: 0, flops: 0 })

/** Measures every gate that the records have what it needs for; probes where they have vectors. InputError for labels of one kind only. */
export async function sweepGates(
  records: readonly VectorRecord[],
  { label = 'better', seed = 0, words, config, ...probe }: SweepOptions = {},
  watch: Watch = {},
): Promise<GateSweep> {
  const [train, validation, test] = splitByEntity(records, { seed }) as VectorRecord[][]
  const wanted = (record: GateRecord): boolean => isWanted(rightness(record), label)
  if (new Set(train!.map(wanted)).size < 2)
    throw new InputError(
      `records: expected questions with and without retrieval wanted (${label}), got one kind only. Ask more questions, or take the other label`,
    )
  const outcomes = [validation!, test!].map((part) => part.map(rightness))
  const results: GateResult[] = []
  const left_out: GateSweep['left_out'] = []
  const report = (gate: string, decisions: GateDecisions, threshold: number | null, work: Work = {}): void => {
    const { scores } = decisions
    const curve = scores === undefined ? undefined : gateCurve(scores, outcomes[1]!)
    results.push({
      gate,
      threshold: threshold === null || !Number.isFinite(threshold) ? null : threshold,
      ...gateReport(test!, decisions),
      area: curve?.area ?? null,
      gain: curve?.gain ?? null,
      curve: (curve?.points ?? []).map(({ retrieved, accuracy }) => [retrieved, accuracy] as const),
      cost: gateCost(test!, decisions.retrieve, { decide: FREE, config, ...work }),
    })
  }
  const scored = (
    gate: string,
    score: (record: VectorRecord) => number,
    { extraCalls = 0, ...work }: Work = {},
  ): void => {
    const threshold = bestThreshold(validation!.map(score), outcomes[0]!)
    report(gate, { ...atThreshold(test!.map(score), threshold), extraCalls }, threshold, work)
  }
  /** Whether all records have it; else the gate is left out, with a word. */
  const areAll = (gate: string, what: string, has: (record: VectorRecord) => boolean): boolean => {
    const lacking = records.filter((record) => !has(record)).length
    if (lacking > 0) left_out.push({ gate, why: `${lacking} of ${records.length} records have no ${what}` })
    return lacking === 0
  }
  const on =
    (...kinds: SpentOn[]): PartOf =>
    (record) =>
      kinds
        .map((kind) => spentOn(record, kind, config))
        .reduce((a, b) => ({
          seconds: a.seconds + b.seconds,
          flops: a.flops + b.flops,
        }))
  report('none', { retrieve: test!.map(() => false) }, null)
  report('full', { retrieve: test!.map(() => true) }, null)
  for (const rule of ['better', 'parametric-wrong'] as const)
    report(`oracle, ${rule}`, oracleDecisions(test!, rule), null)
  const known = [...train!, ...validation!]
  if (areAll('popularity', 'popularity', ({ popularity }) => popularity !== undefined)) {
    scored('popularity', popularityScore)
    const score: ScoreQuestion = fitRelationPopularity(known)
    report('popularity by relation', atThreshold(test!.map(score), 0), 0)
  }
  if (areAll('relation', 'relation', ({ relation }) => relation !== undefined))
    scored('relation', fitRelationPrior(train!, label))
  const asked = (part: readonly GateRecord[]) => ({
    questions: part.map(({ question }) => question),
    isWanted: part.map(wanted),
  })
  const cut = words === undefined ? {} : { words }
  const { questions, isWanted: labels } = asked(train!)
  const classify = fitQuestionClassifier(questions, labels, cut)
  scored('words of the question', ({ question }) => classify(question))
  const tuned = tuneQuestionClassifier(asked(train!), asked(validation!), cut)
  scored('words of the question, C tuned', ({ question }) => tuned(question))
  for (const kind of UNCERTAINTIES) {
    const field = FIELD_OF[kind]
    if (areAll(kind, `\`${field}\``, ({ closed }) => closed[field] !== undefined))
      scored(kind, ({ closed }) => uncertaintyOf(kind, closed), {
        extraCalls: kind === 'p-true' ? 2 : 1,
        decide: kind === 'p-true' ? on('closed', 'p-true') : on('closed'),
        hasAnswer: true,
      })
  }
  for (const kind of ['vanilla', 'taare'] as const)
    if (areAll(`asked, ${kind}`, `\`checks.${kind}\``, ({ checks }) => checks?.[kind] !== undefined)) {
      const yes = ({ checks }: GateRecord): number => checks![kind]!.yes
      scored(`asked, ${kind}, by probability`, yes, { extraCalls: 1, decide: on(kind) })
      const retrieve = test!.map(({ checks }) => saysYes(checks![kind]!.text))
      report(`asked, ${kind}, by text`, { retrieve, extraCalls: 1 }, null, { decide: on(`${kind} text`) })
    }
  areAll('probes', '`vectors`', ({ vectors = [] }) => vectors.length > 0)
  const layers = records.reduce((least, { vectors = [] }) => Math.min(least, vectors.length), Number.POSITIVE_INFINITY)
  const reading =
    (layer: number, classifier: readonly ProbeLayer[]): PartOf =>
    (record) => {
      const { vectorSeconds, questionTokens } = record as VectorRecord
      const own = classifier.reduce((sum, { weight }) => sum + 2 * weight.length, 0)
      const isKnown = config !== undefined && questionTokens !== undefined
      return {
        seconds: vectorSeconds?.[layer] ?? Number.NaN,
        flops: isKnown ? vectorFlops(config, questionTokens, layer) + own : Number.NaN,
      }
    }
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
      scored(
        `${name} probe, layer ${layer}`,
        ({ vectors }) => probeProbability({ layers: fitted.layers, width }, vectors![layer]!),
        { decide: reading(layer, fitted.layers) },
      )
    }
  const sizes = { train: train!.length, validation: validation!.length, test: test!.length }
  return { label, seed, questions: sizes, gates: results, left_out }
}
