// The fields of a request for a text → the options of `Lm.generate`.

import type { Structure } from '../grammar/grammar.ts'
import { badWords } from '../lm/bad-words.ts'
import type { GenerateOptions, Lm, TokenMask } from '../lm/lm.ts'
import { joinMasks, tokenBits } from '../lm/token-mask.ts'
import { ApiError } from './api-error.ts'
import type { SamplingFields } from './fields.ts'
import type { Service } from './service.ts'

/** What a request for one text asks, without its prompt, its limit and its log-probabilities. */
export function samplingOptions(fields: SamplingFields, { lm }: Service): GenerateOptions {
  const { top_k, logit_bias, stop, seed } = fields
  const structure = structureOf(fields)
  if (fields.stream_options !== undefined && !fields.stream)
    throw new ApiError(400, 'stream_options: expected it with stream: true alone', { param: 'stream_options' })
  const asked = {
    // OpenAI's clients expect 1 where nobody says anything.
    temperature: fields.temperature ?? lm.defaultTemperature ?? 1,
    topK: top_k === -1 ? 0 : top_k,
    topP: fields.top_p,
    minP: fields.min_p,
    repetitionPenalty: fields.repetition_penalty,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    logitBias: logit_bias && new Map(Object.entries(logit_bias).map(([id, bias]) => [Number(id), bias])),
    seed: seed === undefined ? undefined : seedOf(seed),
    stop: typeof stop === 'string' ? [stop] : stop,
    stopTokenIds: fields.stop_token_ids,
    ignoreEos: fields.ignore_eos,
    minTokens: fields.min_tokens,
    logprobTokenIds: fields.logprob_token_ids,
    maxPromptTokens: fields.truncate_prompt_tokens,
    promptLookup: fields.prompt_lookup,
    cacheSalt: fields.cache_salt,
    mask: maskOf(fields, lm),
    structure,
  }
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))
}

/** The seed of a request's text `index`: seeds of the OpenAI API may be negative, and the largest has one behind it, too. */
export const seedOf = (seed: number, index = 0): number => Number(BigInt.asUintN(53, BigInt(seed) + BigInt(index)))

/** Tokens that may come, less those that would make a bad word whole. */
function maskOf({ allowed_token_ids, bad_words }: SamplingFields, lm: Lm): TokenMask | undefined {
  const masks = [allowed_token_ids && allowedMask(allowed_token_ids, lm), bad_words && badWords(lm, bad_words)]
  const given = masks.filter((mask) => mask !== undefined)
  return given.length > 1 ? joinMasks(...given) : given[0]
}

function allowedMask(ids: readonly number[], lm: Lm): TokenMask {
  const wrong = ids.find((id) => id >= lm.vocabSize)
  if (wrong !== undefined || ids.length === 0)
    throw new ApiError(
      400,
      `allowed_token_ids: expected token ids from 0 to ${lm.vocabSize - 1}, got ${wrong ?? 'none'}`,
      {
        param: 'allowed_token_ids',
      },
    )
  const bits = tokenBits(ids, lm.vocabSize)
  return () => bits
}

/** What the text has to be: OpenAI's `response_format`, or vLLM's `structured_outputs` and its older names. One of them at most. */
function structureOf(fields: SamplingFields): Structure | undefined {
  const { response_format, structured_outputs = {}, guided_json, guided_regex, guided_choice, guided_grammar } = fields
  const { json, regex, choice, grammar } = structured_outputs
  const jsonObject = structured_outputs.json_object ? { json_schema: { type: 'object' } } : undefined
  const given: [string, Structure | undefined][] = [
    ['response_format', formatOf(response_format)],
    ['structured_outputs.json', schemaOf(json, 'structured_outputs.json')],
    ['structured_outputs.json_object', jsonObject],
    ['structured_outputs.regex', regex === undefined ? undefined : { regex }],
    ['structured_outputs.choice', choice && { choice }],
    ['structured_outputs.grammar', grammar === undefined ? undefined : { grammar }],
    ['guided_json', schemaOf(guided_json, 'guided_json')],
    ['guided_regex', guided_regex === undefined ? undefined : { regex: guided_regex }],
    ['guided_choice', guided_choice && { choice: guided_choice }],
    ['guided_grammar', guided_grammar === undefined ? undefined : { grammar: guided_grammar }],
  ]
  const [first, second] = given.filter(([, structure]) => structure !== undefined)
  if (second !== undefined)
    throw new ApiError(400, `${second[0]}: expected one structure, got ${first![0]} too`, { param: second[0] })
  return first?.[1]
}

function formatOf(format: SamplingFields['response_format']): Structure | undefined {
  if (format === undefined || format.type === 'text') return undefined
  return { json_schema: format.type === 'json_object' ? { type: 'object' } : format.json_schema.schema }
}

/** vLLM takes a schema as a text too. */
function schemaOf(schema: unknown, param: string): Structure | undefined {
  if (schema === undefined) return undefined
  if (typeof schema !== 'string') return { json_schema: schema }
  try {
    return { json_schema: JSON.parse(schema) as unknown }
  } catch {
    throw new ApiError(400, `${param}: expected a JSON Schema, got a text that is no JSON`, { param })
  }
}
