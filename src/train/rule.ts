// The seam around a training step. A method such as DropBP puts its branch rules on the model and hands the loop this.

import type { KeyFigure } from '../report/blocks.ts'
import type { ReportBlock } from '../report/report.ts'
import type { Generator, Tensor } from '../torch/index.ts'
import type { AdamW } from './adamw.ts'

/** One micro-batch of the optimizer step that is running. */
export interface MicroBatch {
  /** Position in the step, from 0. */
  readonly index: number
  /** The batch itself, as the data source gave it. */
  readonly batch: unknown
  /** Its share of the step's loss, computed anew: a scalar with a graph. For probes, which bring a scope of their own. */
  loss(): Tensor
}

/** A rule's section of the page of a run. */
export interface RuleFigures {
  /** A sentence above the rest. */
  readonly lead?: string
  /** For the row of numbers at the top of the page. */
  readonly key?: readonly KeyFigure[]
  /** Metrics that it logged, to be drawn by step. */
  readonly charts?: readonly { metric: string; title: string; y: string; isShare?: boolean }[]
  readonly blocks?: readonly ReportBlock[]
}

/** A method's hand on the training step: any part of it may be absent. */
export interface Rule {
  /** Also the beginning of the metrics it logs: `name/metric`. */
  readonly name: string
  /** Around forward and backward of one optimizer step; `next()` runs them and gives the loss. */
  step?(run: RunState, next: () => number): number
  /**
   * Around forward and backward of one micro-batch; `next()` runs them and gives its share of the loss. It may probe the batch first,
   * if it leaves gradients and the generator as they were.
   */
  microStep?(run: RunState, batch: MicroBatch, next: () => number): number
  /** Numbers to log with the step. */
  metrics?(): Record<string, number>
  /** What people call it; a page says that the run was done with it. */
  readonly title?: string
  /** What it has to show of the run so far; `meanOf` is the mean over all steps of a metric that it logged, undefined where none is logged. */
  figures?(meanOf: (metric: string) => number | undefined): RuleFigures
  /** What must be saved for an exact resume, as JSON. */
  state?(): unknown
  restore?(state: unknown): void
  /** Takes the rule's branch rules off the model again. */
  remove?(): void
}

/** All that a checkpoint must hold besides the weights for the run to go on bit for bit. */
export interface RunState {
  /** Optimizer steps and seed of the whole run, as its options have them. */
  readonly steps: number
  readonly seed: number
  /** Steps done, skipped ones included: the position in the data. */
  step: number
  /** Steps left out because a number was not finite. The learning rate follows `step − skippedSteps`, the updates. */
  skippedSteps: number
  consecutiveSkips: number
  tokens: number
  /** Sum of the losses of all updates. */
  lossSum: number
  best: { metric: number; step: number } | null
  evaluationsWithoutGain: number
  readonly optimizer: AdamW
  readonly generator: Generator
  readonly rules: readonly Rule[]
}
