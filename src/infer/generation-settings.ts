// The options of a request, those of generation_config.json and our own defaults → what one sequence is generated with.

import { randomInt } from 'node:crypto'
import { UsageError } from '../errors.ts'
import type { GenerateOptions } from '../lm/lm.ts'
import type { GenerationConfig } from './generation-config.ts'
import type { SamplingOptions } from './sample.ts'

/** Everything that is decided before the first token. */
export interface GenerationSettings extends SamplingOptions {
  maxNewTokens: number
  stop: readonly string[]
  stopTokenIds: readonly number[]
}

/** Enough for an answer, and soon over where a model never ends its text. */
const DEFAULT_NEW_TOKENS = 256

/**
 * Fills in what `options` leaves open; throws UsageError for values that make no sense. As in Transformers, a config
 * without `do_sample: true` means greedy decoding, and its temperature counts only while sampling. Departs: `top_k` is off
 * where nothing sets it (Transformers: 50), as in vLLM and the OpenAI API.
 */
export function generationSettings(options: GenerateOptions, config: GenerationConfig = {}): GenerationSettings {
  const cuts = options.topK !== undefined || options.topP !== undefined || options.minP !== undefined
  const samples = config.doSample === true || cuts
  const settings: GenerationSettings = {
    temperature: options.temperature ?? (samples ? (config.temperature ?? 1) : 0),
    topK: options.topK ?? config.topK ?? 0,
    topP: options.topP ?? config.topP ?? 1,
    minP: options.minP ?? config.minP ?? 0,
    repetitionPenalty: options.repetitionPenalty ?? config.repetitionPenalty ?? 1,
    seed: options.seed ?? randomInt(2 ** 47),
    maxNewTokens: options.maxNewTokens ?? config.maxNewTokens ?? DEFAULT_NEW_TOKENS,
    stop: [...(config.stop ?? []), ...(options.stop ?? [])],
    stopTokenIds: options.stopTokenIds ?? [],
    suppressTokens: config.suppressTokens ?? [],
  }
  check('temperature', settings.temperature, 'a number ≥ 0', settings.temperature >= 0)
  check('top_k', settings.topK, 'a whole number ≥ 0', Number.isSafeInteger(settings.topK) && settings.topK >= 0)
  check('top_p', settings.topP, 'a number above 0 and at most 1', settings.topP > 0 && settings.topP <= 1)
  check('min_p', settings.minP, 'a number from 0 to 1', settings.minP >= 0 && settings.minP <= 1)
  const { repetitionPenalty, seed, maxNewTokens } = settings
  check('repetition_penalty', repetitionPenalty, 'a number above 0', repetitionPenalty > 0)
  check('seed', seed, 'a whole number from 0 to 2^53 − 1', Number.isSafeInteger(seed) && seed >= 0)
  check('max_new_tokens', maxNewTokens, 'a whole number ≥ 1', Number.isSafeInteger(maxNewTokens) && maxNewTokens >= 1)
  for (const stop of settings.stop) {
    if (typeof stop !== 'string' || stop === '' || !stop.isWellFormed())
      throw new UsageError(`stop: expected texts of at least one character, got ${JSON.stringify(stop)}`)
  }
  return settings
}

function check(name: string, value: number, expected: string, isRight: boolean): void {
  if (!isRight || !Number.isFinite(value)) throw new UsageError(`${name}: expected ${expected}, got ${value}`)
}
