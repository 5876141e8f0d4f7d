// The outer shape of tokenizer.json and its limits. What the stages mean is read by the files beside this one.

import { TokenizerError } from '../../errors.ts'
import { parseJson } from '../../files/read-json.ts'
import type { AddedToken } from './added-tokens.ts'
import { type StageConfig, show } from './stage-config.ts'

const MAX_CHARACTERS = 128 * 1024 * 1024

/** The content of a tokenizer.json as Hugging Face writes it. Only the outer shape is checked. */
export interface TokenizerJson {
  version: string
  truncation: unknown
  padding: unknown
  added_tokens: AddedToken[]
  normalizer: StageConfig | null
  pre_tokenizer: StageConfig | null
  post_processor: StageConfig | null
  decoder: StageConfig | null
  model: { type?: string; vocab: unknown; merges?: unknown; [field: string]: unknown }
}

/** Parses a tokenizer.json; throws a TokenizerError, naming `file`, if it is no JSON object with a model, too large or too deep. */
export function parseTokenizerJson(text: string, file: string): TokenizerJson {
  if (text.length > MAX_CHARACTERS) throw refusal(file, `at most ${MAX_CHARACTERS} characters`, `${text.length}`)
  let parsed: unknown
  try {
    parsed = parseJson(text, file)
  } catch (cause) {
    throw new TokenizerError((cause as Error).message, { cause })
  }
  return checkTokenizerJson(parsed, file)
}

/** Checks the outer shape of an already parsed tokenizer.json and drops fields that no one knows. */
export function checkTokenizerJson(value: unknown, file: string): TokenizerJson {
  const json = (value ?? {}) as Partial<TokenizerJson>
  if (typeof json.model !== 'object' || json.model === null) {
    throw refusal(file, 'an object with a "model"', show(value))
  }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: json.added_tokens ?? [],
    normalizer: checkedStage(json.normalizer, `${file}:normalizer`),
    pre_tokenizer: checkedStage(json.pre_tokenizer, `${file}:pre_tokenizer`),
    post_processor: checkedStage(json.post_processor, `${file}:post_processor`),
    decoder: checkedStage(json.decoder, `${file}:decoder`),
    model: json.model,
  }
}

function checkedStage(stage: unknown, where: string): StageConfig | null {
  if (stage === undefined || stage === null) return null
  if (typeof (stage as StageConfig).type === 'string') return stage as StageConfig
  throw refusal(where, 'null or an object with a "type"', show(stage))
}

function refusal(where: string, expected: string, got: string): TokenizerError {
  return new TokenizerError(`bad tokenizer in ${where}: expected ${expected}, got ${got}. Get the file again`)
}
