// What a stage learns from, and how: batches to train and to evaluate on, the objective, and what they say about the model's files.

import type { Output } from '../../cli/output.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { Batch, BatchSource } from '../../data/batch.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { StepMetrics } from '../../train/events.ts'
import type { Objective } from '../../train/objective.ts'
import { dpoData } from './dpo-data.ts'
import type { Finetuning } from './finetuning.ts'
import { pretrainData } from './pretrain-data.ts'
import { sftData } from './sft-data.ts'

export interface StageData<B extends Batch = Batch> {
  readonly train: BatchSource<B>
  readonly evaluation: BatchSource<B> | undefined
  /** What is minimised; `isFresh`: the model is still what the run starts from. */
  objective(tuning: Finetuning, isFresh: boolean): Objective<B> | Promise<Objective<B>>
  /** Looks at the metrics of each step: a line for people where something goes wrong, an error where something must be wrong. */
  readonly watch?: (metrics: StepMetrics) => string | undefined
  /** Tokens that end an answer in the data; generation stops at them, too. */
  readonly stopTokenIds: readonly number[]
  /** The chat template that the data was written with; saved with the tokenizer. */
  readonly chatTemplate: string | undefined
  close(): void
}

/** Reads and encodes what the configuration names. `hash` stands for the tokenizer in the cache. */
export function stageDataOf(
  config: TrainConfig,
  tokenizer: Tokenizer,
  hash: string,
  output: Output,
): Promise<StageData> {
  if (config.stage === 'dpo') return dpoData(config, tokenizer, output)
  return config.stage === 'sft' ? sftData(config, tokenizer, output) : pretrainData(config, tokenizer, hash, output)
}
