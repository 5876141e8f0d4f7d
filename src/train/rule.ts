// The seam around a training step. A method such as DropBP puts its branch rules on the model and hands the loop this.
import type { Tensor } from '../torch/index.ts'
import type { RunState } from './train.ts'

/** One micro-batch of the optimizer step that is running. */
export interface MicroBatch {
  /** Position in the step, from 0. */
  readonly index: number
  /** Its share of the step's loss, computed anew: a scalar with a graph. For probes, which bring a scope of their own. */
  loss(): Tensor
}

export interface Rule {
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
