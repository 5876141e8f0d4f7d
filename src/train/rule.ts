// The seam around a training step. A method such as DropBP puts its branch rules on the model and hands the loop this.

import type { KeyFigure } from '../report/blocks.ts'
import type { ReportBlock } from '../report/report.ts'
import type { Point } from '../report/series.ts'
import type { Mark } from '../report/xy-chart.ts'
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

/** The metrics of a run so far. */
export interface LoggedMetrics {
  /** A metric by step; a value that is not finite is a gap. Empty where none is logged. */
  points(metric: string): readonly Point[]
  /** The mean over all steps, undefined where none is logged. */
  meanOf(metric: string): number | undefined
}

/** Metrics to be drawn by step: one, or several under names of their own. */
export interface MetricChart {
  readonly metric: string | Readonly<Record<string, string>>
  readonly title: string
  readonly y: string
  readonly isShare?: boolean
  readonly note?: string
  readonly marks?: readonly Mark[]
}

/** A section of the page of a run. */
export interface RuleFigures {
  /** A sentence above the rest. */
  readonly lead?: string
  /** For the row of numbers at the top of the page. */
  readonly key?: readonly KeyFigure[]
  /** What must not be overlooked, for the top of the page. */
  readonly warnings?: readonly string[]
  readonly charts?: readonly MetricChart[]
  readonly blocks?: readonly ReportBlock[]
}

/** What has a section of its own on the page of a run: a rule, or the method of a stage. */
export interface Drawn {
  readonly name: string
  /** What people call it. */
  readonly title?: string
  /** The beginnings of its metrics' names; default its own name: `name/metric`. */
  readonly prefixes?: readonly string[]
  /** What it has to show of the run so far. */
  figures?(logged: LoggedMetrics): RuleFigures
}

/** A method's hand on the training step: any part of it may be absent. */
export interface Rule extends Drawn {
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
