// What a stage learns from: batches to train and to evaluate on, and what they say about the model's files.

import type { BatchSource } from '../../data/batch.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { TrainConfig } from '../config/schema.ts'
import type { Output } from '../output.ts'
import { pretrainData } from './pretrain-data.ts'
import { sftData } from './sft-data.ts'

export interface StageData {
  readonly train: BatchSource
  readonly evaluation: BatchSource | undefined
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
  return config.stage === 'sft' ? sftData(config, tokenizer, output) : pretrainData(config, tokenizer, hash, output)
}
