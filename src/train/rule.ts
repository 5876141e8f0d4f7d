// The seam around a training step. A method such as DropBP puts its branch rules on the model and hands the loop this.
import type { RunState } from './train.ts'

export interface Rule {
  readonly name: string
  /** Around forward and backward of one optimizer step; `next()` runs them and gives the loss. */
  step?(run: RunState, next: () => number): number
  /** Numbers to log with the step. */
  metrics?(): Record<string, number>
  /** What must be saved for an exact resume, as JSON. */
  state?(): unknown
  restore?(state: unknown): void
  /** Takes the rule's branch rules off the model again. */
  remove?(): void
}
