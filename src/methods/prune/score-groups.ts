// Scores of all groups by the importance that was asked for, and what looking at the calibration text for them costs.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Generator } from '../../torch/index.ts'
import type { Count, Watch } from '../../work.ts'
import type { FeatureStatistics } from './feature-statistics.ts'
import { chunkByLayer, withGradients } from './gradient-evidence.ts'
import type { GroupSet } from './groups.ts'
import { elementwiseScores, fluctuationScores, randomScores } from './importance.ts'
import type { ResolvedOptions } from './options.ts'

/** What scores may look at. */
export interface Evidences {
  /** Of the inputs of a set's output matrix; only `flap` asks. */
  inputs: (set: GroupSet) => FeatureStatistics
  /** Empty where no importance asks for it. */
  calibration: readonly Batch[]
  generator: Generator
  count: Count
  watch: Watch
}

/** One list of scores for each set, one score for each group; low ones go first. */
export async function scoreGroups(
  model: Decoder,
  sets: readonly GroupSet[],
  options: ResolvedOptions,
  { inputs, calibration, generator, count, watch }: Evidences,
): Promise<number[][]> {
  const { importance, aggregate } = options
  if (importance === 'flap') return sets.map((set) => fluctuationScores(set, inputs(set)))
  if (importance === 'random') return sets.map((set) => randomScores(set, generator))
  if (importance === 'l1' || importance === 'l2')
    return sets.map((set) => elementwiseScores(set, importance, aggregate, () => null))
  const squares = needsSquares(options)
  const scores: number[][] = []
  for (const chunk of chunkByLayer(sets, options.maxGradientBytes, squares)) {
    const found = await withGradients(model, chunk, calibration, { squares, count, watch }, (evidence) =>
      chunk.map((set) => elementwiseScores(set, importance, aggregate, evidence)),
    )
    scores.push(...found)
  }
  return scores
}

/** Passes over the calibration text that gradients take. */
export function gradientPasses(sets: readonly GroupSet[], options: ResolvedOptions): number {
  return options.importance.startsWith('taylor')
    ? chunkByLayer(sets, options.maxGradientBytes, needsSquares(options)).length
    : 0
}

function needsSquares({ importance }: ResolvedOptions): boolean {
  return importance === 'taylor-second' || importance === 'taylor-mixed'
}
