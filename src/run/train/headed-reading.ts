// What reading for a classifier or a masked language model needs to know of the model: how long its rows may be, and what fills them up.

import type { TrainConfig } from '../../config/schema.ts'
import { isEncoderConfig, type ModelConfig } from '../../model/encoder/config.ts'
import { windowOf } from '../../model/encoder/encoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { RunTell } from './run-events.ts'
import type { Reading } from './stage-data.ts'

/** What reading is given, with what the model is. */
export interface HeadedReading extends Reading {
  readonly described: ModelConfig
}

/** Tokens of the longest row: `max_length`, or fewer where the model reads fewer, which is told. */
export function windowFor({ max_length }: TrainConfig, described: ModelConfig, tell: RunTell): number {
  const window = isEncoderConfig(described)
    ? windowOf(described)
    : described.hasLearnedPositions
      ? described.maxPositionEmbeddings
      : max_length
  if (window >= max_length) return max_length
  tell({
    type: 'notice',
    message: `max_length is ${max_length}, and the model reads ${window} tokens: rows have at most ${window}`,
  })
  return window
}

/** What rows are filled up with. RoBERTa's positions go by it. */
export function padIdFor({ padTokenId }: ModelConfig, tokenizer: Tokenizer): number {
  return padTokenId ?? tokenizer.padTokenId ?? tokenizer.eosTokenId ?? 0
}
