// The outer shape of tokenizer.json and its limits. What the stages mean is read by the files beside this one.

import { TokenizerError } from '../../errors.ts'
import type { AddedToken } from './added-tokens.ts'
import { type StageConfig, show } from './stage-config.ts'

const MAX_CHARACTERS = 128 * 1024 * 1024
const MAX_DEPTH = 64

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
  const depth = nestingDepth(text)
  if (depth > MAX_DEPTH) throw refusal(file, `at most ${MAX_DEPTH} levels of nesting`, `${depth}`)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw refusal(file, 'JSON', cause instanceof Error ? cause.message : String(cause), cause)
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

/** How deeply arrays and objects nest, in one pass without recursion. */
function nestingDepth(text: string): number {
  let depth = 0
  let deepest = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x22) {
      i = endOfString(text, i)
    } else if (unit === 0x5b || unit === 0x7b) {
      depth++
      if (depth > deepest) deepest = depth
    } else if (unit === 0x5d || unit === 0x7d) depth--
  }
  return deepest
}

/** Index of the quote that ends the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x5c) i++
    else if (unit === 0x22) return i
  }
  return text.length
}

function refusal(where: string, expected: string, got: string, cause?: unknown): TokenizerError {
  return new TokenizerError(`bad tokenizer in ${where}: expected ${expected}, got ${got}. Get the file again`, {
    cause,
  })
}
