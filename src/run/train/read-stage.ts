// Configuration → what its stage learns from.

import type { TrainConfig } from '../../config/schema.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { dpoData } from './dpo-data.ts'
import { pretrainData } from './pretrain-data.ts'
import type { RunWatch } from './run-events.ts'
import { sftData } from './sft-data.ts'
import type { StageData } from './stage-data.ts'

/** Reads and encodes what the configuration names. `hash` stands for the tokenizer in the cache. */
export function readStage(
  config: TrainConfig,
  tokenizer: Tokenizer,
  hash: string,
  watch: RunWatch,
): Promise<StageData> {
  if (config.stage === 'dpo') return dpoData(config, tokenizer, watch)
  return config.stage === 'sft' ? sftData(config, tokenizer, watch) : pretrainData(config, tokenizer, hash, watch)
}
