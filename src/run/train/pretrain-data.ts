// Stage `pretrain`: running text in packed blocks, of which every token is learnt.

import type { Output } from '../../cli/output.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { batches } from '../../data/batches.ts'
import { ConfigError, InputError } from '../../errors.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { languageModeling } from '../../train/objective.ts'
import { type Corpora, corporaOf } from './corpus-of.ts'
import type { StageData } from './stage-data.ts'

/** Packs the texts, through the token cache. */
export async function pretrainData(
  config: TrainConfig,
  tokenizer: Tokenizer,
  hash: string,
  output: Output,
): Promise<StageData> {
  const corpora = await corporaOf(config, tokenizer, hash, output)
  const close = (): void => {
    corpora.train.close()
    corpora.evaluation?.close()
  }
  try {
    return {
      train: trainingBatches(config, corpora),
      evaluation: evaluationBatches(config, corpora),
      objective: languageModeling,
      stopTokenIds: [],
      chatTemplate: undefined,
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

function trainingBatches(
  config: TrainConfig,
  { train: { length, numTokens }, train }: Corpora,
): ReturnType<typeof batches> {
  const { per_device_train_batch_size: batchSize, max_length } = config
  if (numTokens === 0)
    throw new InputError(`dataset ${config.dataset.join(', ')}: expected text to train on, got none. Check the path`)
  if (length === 0) {
    throw new ConfigError(
      `dataset: expected at least one block of ${max_length} tokens, got ${numTokens} tokens. Give more text, or lower max_length`,
    )
  }
  return batches(train, { batchSize, seed: config.data_seed })
}

function evaluationBatches(config: TrainConfig, { evaluation }: Corpora): ReturnType<typeof batches> | undefined {
  if (evaluation === undefined) return undefined
  if (evaluation.length === 0) {
    const key = config.eval_dataset === undefined ? 'val_split' : 'eval_dataset'
    throw new ConfigError(
      `${key}: expected text to evaluate on, got ${evaluation.numDocuments} documents with ${evaluation.numTokens} tokens. Give more`,
    )
  }
  return batches(evaluation, { batchSize: config.per_device_eval_batch_size, shuffle: false })
}
