// What the experiment has found so far, cell by cell, and what follows from it.
import { partialSpearman, spearman } from '../../src/eval/transfer/spearman.ts'
import { statistics } from '../setting/statistics.ts'
import type { Measured } from './measure.ts'
import { ARMS, type Arm, type Harm, harmOf, NONE } from './setting.ts'
import { type Language, TARGETS } from './world.ts'

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

export function predictorOf(
  results: Results,
  seed: number,
  language: Language,
  predictor: Predictor,
  figure: Figure,
): number {
  const world = results.worlds.find((one) => one.seed === seed)!
  if (predictor === 'before') return cellOf(results, seed, NONE)!.measured[language]![figure]
  return predictor === 'share' ? world.shares[language] : world[predictor][language]!
}

export interface Correlations {
  /** One for each seed, over its five targets. */
  perSeed: { seed: number; rho: number; p: number }[]
  /** Over all targets of all seeds, the mean of each language taken out (`language`), and with what was there before tuning besides (`both`). */
  language: { rho: number; p: number }
  both: { rho: number; p: number }
}

/** Mitigation of `figure` by `arm` with a predictor. Null where a column is the same throughout. */
export function correlations(results: Results, arm: Arm, figure: Figure, predictor: Predictor): Correlations | null {
  const rows = seedsIn(results).flatMap((seed) =>
    TARGETS.map((language) => ({
      seed,
      language,
      x: predictorOf(results, seed, language, predictor, figure),
      before: predictorOf(results, seed, language, 'before', figure),
      y: mitigation(results, seed, arm, language, figure),
    })),
  )
  const pick = ({ rho, p }: { rho: number; p: number }): { rho: number; p: number } => ({ rho, p })
  try {
    const perSeed = seedsIn(results).map((seed) => {
      const own = rows.filter((row) => row.seed === seed)
      return {
        seed,
        ...pick(
          spearman(
            own.map(({ x }) => x),
            own.map(({ y }) => y),
          ),
        ),
      }
    })
    const [x, y] = [rows.map((row) => row.x), rows.map((row) => row.y)]
    const names = rows.map(({ language }) => language)
    const before = rows.map((row) => row.before)
    return {
      perSeed,
      language: pick(partialSpearman(x, y, [names])),
      both: pick(partialSpearman(x, y, [names, before])),
    }
  } catch {
    return null
  }
}
