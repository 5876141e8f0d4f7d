// The fields that requests for texts have in common: those of the OpenAI API and vLLM's besides.

import { z } from 'zod'
import { withoutNulls } from './without-nulls.ts'

/** A schema for each field of a request. */
export type Fields<Request> = { readonly [Name in keyof Request]-?: z.ZodType<Request[Name]> }

/** What a text has to be, in the words of vLLM's `structured_outputs`: one of them. */
export interface StructuredOutputs {
  json?: string | boolean | Record<string, unknown> | undefined
  json_object?: boolean | undefined
  regex?: string | undefined
  choice?: string[] | undefined
  grammar?: string | undefined
}

/** OpenAI's way to say it. */
export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | {
      type: 'json_schema'
      json_schema: {
        name?: string | null | undefined
        description?: string | null | undefined
        schema: boolean | Record<string, unknown>
        strict?: boolean | null | undefined
      }
    }

/** How a text is continued. */
export interface SamplingFields {
  model?: string | undefined
  temperature?: number | undefined
  top_p?: number | undefined
  top_k?: number | undefined
  min_p?: number | undefined
  repetition_penalty?: number | undefined
  presence_penalty?: number | undefined
  frequency_penalty?: number | undefined
  logit_bias?: Record<string, number> | undefined
  seed?: number | undefined
  n?: number | undefined
  stop?: string | string[] | undefined
  stop_token_ids?: number[] | undefined
  include_stop_str_in_output?: boolean | undefined
  ignore_eos?: boolean | undefined
  min_tokens?: number | undefined
  logprob_token_ids?: number[] | undefined
  prompt_logprobs?: number | undefined
  allowed_token_ids?: number[] | undefined
  bad_words?: string[] | undefined
  skip_special_tokens?: boolean | undefined
  truncate_prompt_tokens?: number | undefined
  stream?: boolean | undefined
  stream_options?:
    | { include_usage?: boolean | null | undefined; continuous_usage_stats?: boolean | null | undefined }
    | undefined
  structured_outputs?: StructuredOutputs | undefined
  guided_json?: StructuredOutputs['json']
  guided_regex?: string | undefined
  guided_choice?: string[] | undefined
  guided_grammar?: string | undefined
  response_format?: ResponseFormat | undefined
  prompt_lookup?: number | undefined
  return_token_ids?: boolean | undefined
  cache_salt?: string | undefined
  priority?: number | undefined
}

const whole = (least: number, most: number = Number.MAX_SAFE_INTEGER): z.ZodInt => z.int().min(least).max(most)
const ids = z.array(whole(0)).max(4096)
const stop = z.string().min(1).max(256)
const choice = z.array(z.string()).min(1).optional()
const json = z.union([z.string(), z.boolean(), z.record(z.string(), z.unknown())]).optional()
const flag = z.boolean().optional()
const text = z.string().optional()

/** The schemas of `SamplingFields`. */
export const SAMPLING: Fields<SamplingFields> = {
  model: text.describe('The name that the model is served under, or the one of an adapter'),
  temperature: z.number().min(0).max(100).optional().describe('0 takes the most probable token'),
  top_p: z.number().gt(0).max(1).optional(),
  top_k: z.int().min(-1).optional().describe('0 and −1 are off'),
  min_p: z.number().min(0).max(1).optional(),
  repetition_penalty: z.number().gt(0).max(100).optional(),
  presence_penalty: z.number().min(-2).max(2).optional(),
  frequency_penalty: z.number().min(-2).max(2).optional(),
  logit_bias: z
    .record(z.string().regex(/^\d+$/), z.number().min(-100).max(100))
    .refine((biases) => Object.keys(biases).length <= 1024, 'expected at most 1,024 tokens')
    .optional(),
  seed: z.int().optional().describe('The same seed gives the same text, whatever else runs'),
  n: whole(1, 128).optional().describe('Texts for each prompt'),
  stop: z.union([stop, z.array(stop).max(16)]).optional(),
  stop_token_ids: z.array(whole(0)).max(64).optional(),
  include_stop_str_in_output: flag,
  ignore_eos: flag,
  min_tokens: whole(0).optional(),
  logprob_token_ids: ids.max(256).optional().describe('Log-probabilities of these tokens besides'),
  prompt_logprobs: whole(0, 20).optional(),
  allowed_token_ids: ids.optional(),
  bad_words: z.array(z.string().min(1).max(256)).max(256).optional(),
  skip_special_tokens: flag,
  truncate_prompt_tokens: whole(1).optional().describe('Read so many of the last tokens of the prompt only'),
  stream: flag,
  stream_options: z
    .object({ include_usage: z.boolean().nullish(), continuous_usage_stats: z.boolean().nullish() })
    .optional(),
  // vLLM's own clients send all of its members, null where they are not meant.
  structured_outputs: z
    .preprocess(withoutNulls, z.object({ json, json_object: flag, regex: text, choice, grammar: text }))
    .optional(),
  guided_json: json,
  guided_regex: text,
  guided_choice: choice,
  guided_grammar: text,
  response_format: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('json_object') }),
      z.object({
        type: z.literal('json_schema'),
        json_schema: z.object({
          name: z.string().max(256).nullish(),
          description: z.string().nullish(),
          schema: z.union([z.boolean(), z.record(z.string(), z.unknown())]),
          strict: z.boolean().nullish(),
        }),
      }),
    ])
    .optional(),
  prompt_lookup: whole(0, 64).optional().describe('Tokens to guess at once from what the text has said'),
  return_token_ids: flag,
  cache_salt: z.string().max(1024).optional().describe('Share cached prompts with requests of the same salt only'),
  priority: z.int().min(-1000).max(1000).optional().describe('Lower comes first out of the queue'),
}

/** Fields that change what is asked for and are not done here: refused, unless they say what is done anyway. */
export const REFUSED: Readonly<Record<string, { harmless: readonly unknown[]; instead: string }>> = {
  functions: { harmless: [], instead: 'tools' },
  function_call: { harmless: ['none', 'auto'], instead: 'tool_choice' },
  audio: { harmless: [], instead: 'text alone' },
  modalities: { harmless: ['["text"]'], instead: '["text"]' },
  web_search_options: { harmless: [], instead: 'tools' },
  use_beam_search: { harmless: [false], instead: 'n' },
  length_penalty: { harmless: [1], instead: 'max_tokens' },
  chat_template: { harmless: [], instead: 'the template of the model' },
  logits_processors: { harmless: ['[]'], instead: 'logit_bias, allowed_token_ids or structured_outputs' },
}
