// Configuration → what its stage learns from.

import type { TrainConfig } from '../../config/schema.ts'
import type { ModelConfig } from '../../model/encoder/config.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { classifyData } from './classify-data.ts'
import { dpoData } from './dpo-data.ts'
import { mlmData } from './mlm-data.ts'
import { pretrainData } from './pretrain-data.ts'
import { sftData } from './sft-data.ts'
import type { Reading, StageData } from './stage-data.ts'

/** Reads and encodes what the configuration names for the model that is `described`. `hash` stands for the tokenizer in the cache. */
export function readStage(
  config: TrainConfig,
  tokenizer: Tokenizer,
  hash: string,
  described: ModelConfig,
  reading: Reading,
): Promise<StageData> {
  if (config.stage === 'classify') return classifyData(config, tokenizer, { ...reading, described })
  if (config.stage === 'mlm') return mlmData(config, tokenizer, { ...reading, described })
  if (config.stage === 'dpo') return dpoData(config, tokenizer, reading)
  return config.stage === 'sft' ? sftData(config, tokenizer, reading) : pretrainData(config, tokenizer, hash, reading)
}
