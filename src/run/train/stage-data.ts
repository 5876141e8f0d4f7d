// What a stage learns from, and how: batches to train and to evaluate on, the objective, and what they say about the model's files.

import type { Batch, BatchSource } from '../../data/batch.ts'
import type { AnyModel } from '../../model/any-model.ts'
import type { StepMetrics } from '../../train/events.ts'
import type { Objective } from '../../train/objective.ts'
import type { Drawn } from '../../train/rule.ts'
import type { Finetuning } from './finetuning.ts'
import type { Recorded } from './record-dynamics.ts'
import type { RunWatch } from './run-events.ts'

/** How the run that asks for the objective begins. */
export interface RunStart {
  /** The model is still what the run starts from. */
  readonly isFresh: boolean
  /** Matrix products are made in bf16. */
  readonly bf16: boolean
}

/** What reading is given besides. */
export interface Reading extends RunWatch {
  /** Folder for bad lines; absent: they are only counted. */
  readonly quarantine?: string | undefined
}

export interface StageData<B extends Batch = Batch> {
  readonly train: BatchSource<B>
  readonly evaluation: BatchSource<B> | undefined
  /** What is minimised. */
  objective(
    tuning: Finetuning,
    start: RunStart,
    watch: RunWatch,
  ): Objective<B, AnyModel> | Promise<Objective<B, AnyModel>>
  /** Looks at the metrics of each step: a line for people where something goes wrong, an error where something must be wrong. */
  readonly watch?: (metrics: StepMetrics) => string | undefined
  /** What it has to show of its metrics on the page of the run. */
  readonly figures?: Drawn
  /** Tokens that end an answer in the data; generation stops at them, too. */
  readonly stopTokenIds: readonly number[]
  /** The labels by id, where they are what is learnt. */
  readonly labels?: readonly string[]
  /** Whose logits are kept after each epoch, where they are. */
  readonly recorded?: Recorded
  /** The chat template that the data was written with; saved with the tokenizer. */
  readonly chatTemplate: string | undefined
  close(): void
}
