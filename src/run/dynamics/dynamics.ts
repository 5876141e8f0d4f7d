// What dynamics.json holds: every checkpoint of a run against where it began.
import type { Contamination } from '../../eval/contamination.ts'
import type { WeightShift } from '../../probe/weight-shift.ts'

/** One weight of one checkpoint. */
export interface MovedWeight extends WeightShift {
  /** Path in the model, and what it is called in a block (`q_proj`); `norm` for all norms. */
  name: string
  type: string
  /** Index of the block, null outside them. */
  layer: number | null
}

/** How the rows of an embedding or output head moved. */
export interface MovedRows {
  least: number
  mean: number
  most: number
  aboveMean: number
  moved: number
  /** Tokens that moved most and least, with Σ |E − E′|. */
  farthest: { token: string; id: number; distance: number }[]
  nearest: { token: string; id: number; distance: number }[]
}

/** One checkpoint against the base. */
export interface CheckpointDynamics {
  step: number
  path: string
  weights: MovedWeight[]
  /** Of `embed_tokens`, and of `lm_head` where it is not the same. */
  rows: Record<string, MovedRows>
  /** Metric by task and name, `task: acc`; step 0 is the base. */
  scores?: Record<string, number>
}

/** What dynamics.json holds. */
export interface Dynamics {
  run: string
  base: string
  topK: number
  checkpoints: CheckpointDynamics[]
  /** Scores of the base. */
  baseScores?: Record<string, number>
  /** By task, which of its documents share words with what the run learnt from. */
  leakage?: Record<string, Contamination>
  /** `[step, eval_loss]` as the run logged them. */
  evalLoss: [number, number][]
  /** The same of each held-out set that has a name. */
  evalLosses?: Record<string, [number, number][]>
}
