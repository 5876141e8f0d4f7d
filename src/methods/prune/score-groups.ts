// Scores of all groups by the importance that was asked for, and what looking at the calibration text for them costs.
import type { BatchSource } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Generator } from '../../torch/index.ts'
import type { FeatureStatistics } from './feature-statistics.ts'
import { chunkByLayer, withGradients } from './gradient-evidence.ts'
import type { GroupSet } from './groups.ts'
import { elementwiseScores, fluctuationScores, randomScores } from './importance.ts'
import type { ResolvedOptions } from './options.ts'

/** What scores may look at. */
export interface Evidences {
  /** Of the inputs of a set's output matrix; only `flap` asks. */
  inputs: (set: GroupSet) => FeatureStatistics
  /** Null where no importance asks for it. */
  calibration: BatchSource | null
  batches: number
  generator: Generator
  onBatch: () => void
}

/** One list of scores for each set, one score for each group; low ones go first. */
export function scoreGroups(
  model: Decoder,
  sets: readonly GroupSet[],
  options: ResolvedOptions,
  { inputs, calibration, batches, generator, onBatch }: Evidences,
): number[][] {
  const { importance, aggregate } = options
  if (importance === 'flap') return sets.map((set) => fluctuationScores(set, inputs(set)))
  if (importance === 'random') return sets.map((set) => randomScores(set, generator))
  if (importance === 'l1' || importance === 'l2')
    return sets.map((set) => elementwiseScores(set, importance, aggregate, () => null))
  const squares = needsSquares(options)
  return chunkByLayer(sets, options.maxGradientBytes, squares).flatMap((chunk) =>
    withGradients(model, chunk, calibration!, batches, { squares, onBatch }, (evidence) =>
      chunk.map((set) => elementwiseScores(set, importance, aggregate, evidence)),
    ),
  )
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
