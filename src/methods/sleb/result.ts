// What a search for units to remove tells while it goes on, and what it finds.
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import type { MeasureWatch } from '../../probe/probe.ts'
import type { LossKind } from './choices.ts'
import type { ResolvedOptions } from './options.ts'
import type { Unit } from './unit.ts'

/** What a candidate scored. */
export interface Candidate {
  unit: Unit
  /** Nats per token; for `cosine` the mean of 1 − cos. Over the batches that it ran. */
  score: number
  /** Share of the batches that it ran before it could not win any more. */
  share: number
}

/** One removal: what was tried, and what it cost. */
export interface SlebStep {
  removed: Unit[]
  /** Put back by a swap. */
  returned: Unit[]
  /** Nats per token, with everything removed so far. */
  loss: number
  /** What `loss` is. */
  metric: LossKind
  candidates: Candidate[]
}

/** Of the lineage: names of the units in the order in which they went, and what the search measured. */
export type SlebReport = {
  removed: string[]
  blocks_before: number
  blocks_after: number
  /** On the calibration text. */
  perplexity_before: number
  perplexity_after: number
  parameters_before: number
  parameters_after: number
  /** Share of the search's batches that racing spared. */
  spared: number
}

/** What was found, with its lineage record. */
export interface SlebResult extends PassRecord<SlebReport> {
  options: ResolvedOptions & Record<string, unknown>
  /** In the order in which they went. */
  removed: Unit[]
  steps: SlebStep[]
  /** Cross-entropy on the calibration text in nats per token, of the whole model and without `removed`. */
  before: number
  after: number
  /** Batches run for candidates, and how many a search without racing runs. */
  measured: number
  full: number
}

/** Tells of `searching` in batches, and of each step as a row of `steps`. */
export interface SlebWatch extends MeasureWatch {
  /** False runs every candidate from the embedding on; the numbers are the same. */
  readonly reuse?: boolean
}
