// The options of a request, those of generation_config.json and our own defaults → what one sequence is generated with.

import { randomInt } from 'node:crypto'
import { UsageError } from '../errors.ts'
import type { GenerateOptions } from '../lm/lm.ts'
import type { GenerationConfig } from './generation-config.ts'
import type { SamplingOptions } from './sample.ts'

/** Everything that is decided before the first token. */
export interface GenerationSettings extends SamplingOptions {
  maxNewTokens: number
  minTokens: number
  stop: readonly string[]
  stopTokenIds: readonly number[]
  ignoreEos: boolean
  skipSpecialTokens: boolean
  logprobs: boolean
  promptLogprobs: boolean
  topLogprobs: number
  logprobTokenIds?: readonly number[]
  adapter: string | null
  /** Tokens to guess at once; 0 is off. */
  promptLookup: number
  cacheSalt: string
}

/** More than these serve no purpose and cost memory: candidates at one place, tokens guessed at once. */
export const MOST_LOGPROBS = 1024
const MOST_DRAFTS = 64

/** Enough for an answer, and soon over where a model never ends its text. */
const DEFAULT_NEW_TOKENS = 256

/**
 * Fills in what `options` leaves open; throws UsageError for values that make no sense. As in Transformers, a config
 * without `do_sample: true` means greedy decoding, and its temperature counts only while sampling. Departs: `top_k` is off
 * where nothing sets it (Transformers: 50), as in vLLM and the OpenAI API. With `vocabSize`, ids are checked against it.
 */
export function generationSettings(
  options: GenerateOptions,
  config: GenerationConfig = {},
  vocabSize: number = Number.POSITIVE_INFINITY,
): GenerationSettings {
  const cuts = options.topK !== undefined || options.topP !== undefined || options.minP !== undefined
  const samples = config.doSample === true || cuts
  const settings: GenerationSettings = {
    temperature: options.temperature ?? (samples ? (config.temperature ?? 1) : 0),
    topK: options.topK ?? config.topK ?? 0,
    topP: options.topP ?? config.topP ?? 1,
    minP: options.minP ?? config.minP ?? 0,
    repetitionPenalty: options.repetitionPenalty ?? config.repetitionPenalty ?? 1,
    presencePenalty: options.presencePenalty ?? 0,
    frequencyPenalty: options.frequencyPenalty ?? 0,
    logitBias: biasOf(options.logitBias),
    ...(options.mask !== undefined && { mask: options.mask }),
    ...(options.accept !== undefined && { accept: options.accept }),
    seed: options.seed ?? randomInt(2 ** 47),
    maxNewTokens: options.maxNewTokens ?? config.maxNewTokens ?? DEFAULT_NEW_TOKENS,
    minTokens: options.minTokens ?? 0,
    stop: [...(config.stop ?? []), ...(options.stop ?? [])],
    stopTokenIds: options.stopTokenIds ?? [],
    ignoreEos: options.ignoreEos ?? false,
    skipSpecialTokens: options.skipSpecialTokens ?? true,
    suppressTokens: config.suppressTokens ?? [],
    logprobs: options.logprobs ?? (options.topLogprobs !== undefined || options.logprobTokenIds !== undefined),
    promptLogprobs: options.promptLogprobs ?? false,
    topLogprobs: options.topLogprobs ?? 0,
    ...(options.logprobTokenIds !== undefined && { logprobTokenIds: options.logprobTokenIds }),
    adapter: options.adapter ?? null,
    promptLookup: options.promptLookup ?? 0,
    cacheSalt: options.cacheSalt ?? '',
  }
  check('temperature', settings.temperature, 'a number ≥ 0', settings.temperature >= 0)
  check('top_k', settings.topK, 'a whole number ≥ 0', Number.isSafeInteger(settings.topK) && settings.topK >= 0)
  check('top_p', settings.topP, 'a number above 0 and at most 1', settings.topP > 0 && settings.topP <= 1)
  check('min_p', settings.minP, 'a number from 0 to 1', settings.minP >= 0 && settings.minP <= 1)
  const { repetitionPenalty, seed, maxNewTokens } = settings
  check('repetition_penalty', repetitionPenalty, 'a number above 0', repetitionPenalty > 0)
  check('seed', seed, 'a whole number from 0 to 2^53 − 1', Number.isSafeInteger(seed) && seed >= 0)
  check('max_new_tokens', maxNewTokens, 'a whole number ≥ 1', Number.isSafeInteger(maxNewTokens) && maxNewTokens >= 1)
  const { minTokens, promptLookup, logitBias = [], mask } = settings
  check(
    'min_tokens',
    minTokens,
    `a whole number from 0 to max_new_tokens (${maxNewTokens})`,
    isWhole(minTokens, 0, maxNewTokens),
  )
  for (const name of ['presence', 'frequency'] as const) {
    const penalty = settings[`${name}Penalty`] ?? 0
    check(`${name}_penalty`, penalty, 'a number from −2 to 2', Math.abs(penalty) <= 2)
  }
  for (const [id, bias] of logitBias) {
    checkId('logit_bias', id, vocabSize)
    check(`logit_bias: ${id}`, bias, 'a number from −100 to 100', Math.abs(bias) <= 100)
  }
  checkLogprobs(options, vocabSize)
  check('prompt_lookup', promptLookup, `a whole number from 0 to ${MOST_DRAFTS}`, isWhole(promptLookup, 0, MOST_DRAFTS))
  for (const id of settings.stopTokenIds) checkId('stop_token_ids', id, vocabSize)
  if (mask !== undefined && typeof mask !== 'function')
    throw new UsageError(`mask: expected a function, got ${typeof mask}`)
  for (const stop of settings.stop) {
    if (typeof stop !== 'string' || stop === '' || !stop.isWellFormed())
      throw new UsageError(`stop: expected texts of at least one character, got ${JSON.stringify(stop)}`)
  }
  return settings
}

function check(name: string, value: number, expected: string, isRight: boolean): void {
  if (isRight && Number.isFinite(value)) return
  // A program without types may give '0.5'.
  throw new UsageError(`${name}: expected ${expected}, got ${typeof value === 'string' ? `'${value}'` : value}`)
}

/** Checks which log-probabilities are asked for; UsageError says what is wrong. */
export function checkLogprobs(
  { topLogprobs = 0, logprobTokenIds = [] }: Pick<GenerateOptions, 'topLogprobs' | 'logprobTokenIds'>,
  vocabSize: number,
): void {
  const most = Math.min(MOST_LOGPROBS, vocabSize)
  check('top_logprobs', topLogprobs, `a whole number from 0 to ${most}`, isWhole(topLogprobs, 0, most))
  for (const id of logprobTokenIds) checkId('logprob_token_ids', id, vocabSize)
}

function biasOf(bias: GenerateOptions['logitBias'] = {}): ReadonlyMap<number, number> {
  if (bias instanceof Map) return bias
  return new Map(Object.entries(bias).map(([id, value]) => [/^\d+$/.test(id) ? Number(id) : Number.NaN, value]))
}

const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isSafeInteger(value) && value >= least && value <= most

function checkId(name: string, id: number, vocabSize: number): void {
  if (isWhole(id, 0, vocabSize - 1)) return
  const expected = vocabSize === Number.POSITIVE_INFINITY ? 'token ids' : `token ids from 0 to ${vocabSize - 1}`
  throw new UsageError(`${name}: expected ${expected}, got ${id}`)
}
