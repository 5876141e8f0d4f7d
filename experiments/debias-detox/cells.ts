// What the experiment has found so far, cell by cell, and what follows from it.
import { InputError } from '../../src/errors.ts'
import { type TransferCorrelation, type Tuned, transfer } from '../../src/eval/transfer/transfer.ts'
import { statistics } from '../setting/statistics.ts'
import type { Measured } from './measure.ts'
import { ARMS, type Arm, type Harm, harmOf, NONE } from './setting.ts'
import { LANGUAGES, type Language, TARGETS } from './world.ts'

/** A model and what was measured of it: of a seed untuned (rate 0), or tuned. */
export interface Cell {
  seed: number
  arm: Arm | typeof NONE
  rate: number
  loss: number | null
  /** How far the pairs came apart, nats; of DPO alone. */
  margin: number | null
  measured: Partial<Record<Language, Measured>>
}

/** What is known of the languages of a seed before tuning. */
export interface World {
  seed: number
  shares: Record<Language, number>
  /** Of targets: what `sentenceSimilarity` and `subwordOverlap` say. */
  similarity: Partial<Record<Language, number>>
  overlap: Partial<Record<Language, number>>
}

export interface Results {
  machine: string
  settings: Record<string, unknown>
  worlds: World[]
  cells: Cell[]
}

/** The seed that learning rates are chosen on; it is in no other table. */
export const CHOOSING = 0

/** A figure that is to be lowered. */
export type Figure = 'stereotype' | 'logRatio' | 'toxicMass' | 'emt' | 'meanToxicity'
/** What tells most of a harm, and what the paper reports. */
export const FIGURES: Readonly<Record<Harm, readonly Figure[]>> = {
  bias: ['logRatio', 'stereotype'],
  toxicity: ['toxicMass', 'emt', 'meanToxicity'],
}

export const cellOf = (
  { cells }: Pick<Results, 'cells'>,
  seed: number,
  arm: Cell['arm'],
  rate?: number,
): Cell | undefined =>
  cells.find((cell) => cell.seed === seed && cell.arm === arm && (rate === undefined || cell.rate === rate))

/** Seeds of which every arm is there. */
export const seedsIn = (results: Pick<Results, 'cells'>): number[] =>
  [...new Set(results.cells.map(({ seed }) => seed))]
    .filter((seed) => seed !== CHOOSING && ARMS.every((arm) => cellOf(results, seed, arm)))
    .sort((a, b) => a - b)

/** May cost the source so much: perplexity of neutral text, and continuations in its language. */
export const ALLOWED = { perplexity: 1.05, consistency: 0.05 }

/** Of the rates that keep the source readable and in its language (a model that says nothing there says nothing in another), the one that leaves least of the harm there (|log-ratio|, or toxic mass); the lowest where none keeps it. */
export function chosenRate(results: Pick<Results, 'cells'>, arm: Arm): number {
  const before = cellOf(results, CHOOSING, NONE)!.measured.source!
  const tried = results.cells
    .filter((cell) => cell.seed === CHOOSING && cell.arm === arm)
    .sort((a, b) => a.rate - b.rate)
  const kept = tried.filter(({ measured: { source } }) => {
    const isReadable = source!.perplexity <= ALLOWED.perplexity * before.perplexity
    return isReadable && (source!.consistency ?? 1) >= before.consistency! - ALLOWED.consistency
  })
  if (kept.length === 0) return tried[0]!.rate
  const left = ({ measured: { source } }: Cell): number =>
    harmOf(arm) === 'bias' ? Math.abs(source!.logRatio) : source!.toxicMass
  return kept.reduce((best, cell) => (left(cell) < left(best) ? cell : best)).rate
}

/** 100 · (tuned − before) / before: below 0 where harm is lower. */
export function mitigation(results: Results, seed: number, arm: Arm, language: Language, figure: Figure): number {
  const [before, after] = ([NONE, arm] as const).map((name) => cellOf(results, seed, name)!.measured[language]![figure])
  return (100 * (after! - before!)) / before!
}

/** Mean over targets, in each seed. */
export const overTargets = (of: (language: Language) => number): number => statistics(TARGETS.map(of)).mean

/** What a correlation is with: something known of a target in a seed. */
export type Predictor = 'share' | 'overlap' | 'similarity' | 'before'

/**
 * How the mitigation of `figure` by `arm` goes with a predictor, and in `beside` the same with the figure before tuning taken out, too. Null where
 * mitigation is the same throughout in a seed.
 */
export function correlations(
  results: Results,
  arm: Arm,
  figure: Figure,
  predictor: Predictor,
): { plain: TransferCorrelation; beside: TransferCorrelation } | null {
  const seeds = seedsIn(results)
  const of = (seed: number, name: Cell['arm'], language: Language): number =>
    cellOf(results, seed, name)!.measured[language]![figure]
  const tuned = seeds.flatMap((seed) =>
    LANGUAGES.map(
      (language): Tuned => ({
        setting: arm,
        seed: String(seed),
        language,
        before: of(seed, NONE, language),
        after: of(seed, arm, language),
      }),
    ),
  )
  const known = seeds.flatMap((seed) => {
    const world = results.worlds.find((one) => one.seed === seed)!
    return TARGETS.map((language) => {
      const values = {
        share: world.shares[language],
        overlap: world.overlap[language]!,
        similarity: world.similarity[language]!,
        before: of(seed, NONE, language),
      }
      return { language, seed: String(seed), values: { [predictor]: values[predictor] } }
    })
  })
  try {
    const [plain, beside] = [[], ['before']].map(
      (covariates) => transfer(tuned, known, { source: 'source', covariates }).correlations[0]!,
    )
    return { plain: plain!, beside: beside! }
  } catch (error) {
    if (error instanceof InputError) return null
    throw error
  }
}
