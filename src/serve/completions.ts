// POST /v1/completions: texts that go on from prompts, given as texts or as token ids, one or many.

import { z } from 'zod'
import {
  collect,
  type GenerateRequest,
  type Generation,
  type GenerationPiece,
  type Prompt,
  type TokenLogProb,
} from '../lm/lm.ts'
import { ApiError } from './api-error.ts'
import { choices, type Indexed } from './choices.ts'
import { type Fields, SAMPLING, type SamplingFields } from './fields.ts'
import { promptLogProbs, TextOffsets, textLogProbs } from './log-prob-entries.ts'
import { readFields } from './read-fields.ts'
import { answered } from './respond.ts'
import { samplingOptions, seedOf } from './sampling-options.ts'
import { adapterNamed, type Call, newTokens, notice, refuseFarTooLong, type Service } from './service.ts'
import { UsageCount } from './usage.ts'

/** A request. */
export interface CompletionFields extends SamplingFields {
  prompt: string | number[] | string[] | number[][]
  max_tokens?: number | undefined
  echo?: boolean | undefined
  logprobs?: number | undefined
  suffix?: string | undefined
  best_of?: number | undefined
  add_special_tokens?: boolean | undefined
  allow_special?: boolean | undefined
}

/** What OpenAI makes where nothing is asked for. */
const DEFAULT_NEW_TOKENS = 16

const ids = z.array(z.int().min(0)).min(1)

/** The schemas of a request. */
export const COMPLETION: Fields<CompletionFields> = {
  prompt: z.union([z.string(), ids, z.array(z.string()).min(1), z.array(ids).min(1)]),
  ...SAMPLING,
  max_tokens: z.int().min(0).optional().describe(`0 with echo alone; default ${DEFAULT_NEW_TOKENS}`),
  echo: z.boolean().optional(),
  logprobs: z.int().min(0).max(20).optional(),
  suffix: z.string().optional(),
  best_of: z.int().min(1).optional(),
  add_special_tokens: z.boolean().optional().describe('The start token of the tokenizer before a text; default true'),
  allow_special: z
    .boolean()
    .optional()
    .describe('Control tokens that a text spells are read as such: for texts that a chat template has written'),
}

/** Answers the request. */
export async function completions(call: Call): Promise<Response> {
  const { service, trace } = call
  const fields = readFields(COMPLETION, call)
  const { n = 1, logprobs, echo = false, suffix, best_of = n, priority } = fields
  if (suffix !== undefined && suffix !== '')
    throw new ApiError(400, 'suffix: expected a model that fills in, got one that goes on', { param: 'suffix' })
  if (best_of !== n) throw new ApiError(400, `best_of: expected n (${n}), got ${best_of}`, { param: 'best_of' })
  const model = fields.model ?? service.name
  trace.model = model
  const asked = askedTexts(call, fields)
  const frame = { id: `cmpl-${trace.id}`, object: 'text_completion', created: Math.floor(Date.now() / 1000), model }
  const count = asked.length * n
  const pieces = choices(call, { count, priority }, (index, signal) => {
    const { request } = asked[Math.floor(index / n)]!
    const choice = index % n
    const made = { ...request, ...(request.seed !== undefined && { seed: seedOf(request.seed, choice) }), signal }
    return fields.max_tokens === 0 ? readOnly(service, made) : service.lm.generate(made)
  })
  const texts = { fields, asked, n, isEcho: echo, most: logprobs }
  if (fields.stream) return answered(call, chunks(call, frame, texts, pieces))
  const parts: GenerationPiece[][] = Array.from({ length: count }, () => [])
  for await (const { index, piece } of pieces) parts[index]!.push(piece)
  const usage = new UsageCount()
  const made = await Promise.all(
    parts.map(async (all, index) => {
      const generation = await collect(all)
      usage.add(Math.floor(index / n), generation.usage)
      return choiceOf(service, texts, generation, index)
    }),
  )
  return answered(call, {
    ...frame,
    system_fingerprint: service.lm.info?.revision ?? null,
    choices: made,
    usage: usage.told(trace),
  })
}

/** One prompt, and what is asked of the model for each of its texts. */
interface Asked {
  ids: readonly number[]
  /** As it was given, or as its ids read. */
  text: string
  request: GenerateRequest & { ids: readonly number[] }
}

interface Texts {
  fields: CompletionFields
  asked: readonly Asked[]
  n: number
  isEcho: boolean
  /** Alternatives of `logprobs`; undefined where none are asked for. */
  most: number | undefined
}

function askedTexts({ service, headers }: Call, fields: CompletionFields): Asked[] {
  const { lm } = service
  const { logprobs, echo, max_tokens: most, prompt_logprobs, add_special_tokens, allow_special } = fields
  if (most === 0 && !echo)
    throw new ApiError(400, 'max_tokens: expected at least 1, or 0 with echo: true', { param: 'max_tokens' })
  const options = samplingOptions(fields, service)
  const adapter = adapterNamed(service, fields.model)
  const asksPrompt = prompt_logprobs !== undefined || (echo === true && logprobs !== undefined)
  const spelled = new Set<string>()
  const prompts = promptsOf(fields.prompt)
  if (fields.truncate_prompt_tokens === undefined)
    for (const prompt of prompts) if (typeof prompt === 'string') refuseFarTooLong(service, [prompt], 'prompt')
  const asked = prompts.map((given): Asked => {
    const isText = typeof given === 'string'
    if (isText && !allow_special)
      for (const token of lm.controlTokens ?? []) if (given.includes(token)) spelled.add(token)
    const prompt: Prompt = isText
      ? {
          prompt: given,
          ...(add_special_tokens !== undefined && { addSpecialTokens: add_special_tokens }),
          ...(allow_special !== undefined && { allowSpecial: allow_special }),
        }
      : { ids: given }
    const all = lm.encode(prompt)
    const ids = all.slice(-(fields.truncate_prompt_tokens ?? 0))
    const wrong = ids.find((id) => id >= lm.vocabSize)
    if (wrong !== undefined)
      throw new ApiError(400, `prompt: expected token ids from 0 to ${lm.vocabSize - 1}, got ${wrong}`, {
        param: 'prompt',
      })
    if (ids.length === 0) throw new ApiError(400, 'prompt: expected at least one token, got none', { param: 'prompt' })
    const { maxPromptTokens: _, ...rest } = options
    const request = {
      ...rest,
      ids,
      adapter,
      maxNewTokens: most === 0 ? 1 : newTokens(service, most, ids.length, DEFAULT_NEW_TOKENS),
      ...(fields.skip_special_tokens !== undefined && { skipSpecialTokens: fields.skip_special_tokens }),
      ...((logprobs !== undefined || asksPrompt) && {
        logprobs: true,
        topLogprobs: Math.max(logprobs ?? 0, prompt_logprobs ?? 0),
      }),
      ...(asksPrompt && { promptLogprobs: true }),
    }
    // What is echoed is what is read: the end of a prompt that is cut, and no half of a surrogate pair.
    const isWhole = isText && ids.length === all.length
    const text = isWhole ? given.toWellFormed() : lm.decode(ids)
    return { ids, text, request }
  })
  if (spelled.size > 0)
    notice(
      headers,
      `the prompt spells ${[...spelled].slice(0, 4).join(' ')}, read as plain text; allow_special: true reads control tokens`,
    )
  return asked
}

function promptsOf(prompt: CompletionFields['prompt']): (string | readonly number[])[] {
  if (typeof prompt === 'string') return [prompt]
  return typeof prompt[0] === 'number' ? [prompt as number[]] : (prompt as (string | number[])[])
}

/** Reads a prompt and makes nothing. */
async function* readOnly(
  { lm }: Service,
  request: GenerateRequest & { ids: readonly number[] },
): AsyncGenerator<GenerationPiece, void, undefined> {
  const { ids, promptLogprobs = false, topLogprobs, logprobTokenIds, adapter, cacheSalt, signal } = request
  const options = { topLogprobs, logprobTokenIds, adapter, cacheSalt, signal }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const [places] = promptLogprobs ? await lm.scoreTokens!([ids], given) : []
  yield {
    text: '',
    tokenIds: [],
    ...(places !== undefined && { promptLogprobs: places }),
    finishReason: 'length',
    limit: 'max_new_tokens',
    usage: { promptTokens: ids.length, completionTokens: 0 },
  }
}

/** Tokens as entries of log-probabilities; the first one of a text has none. */
const entries = (
  ids: readonly number[],
  found: readonly (TokenLogProb | null)[],
): ({ id: number } & Partial<TokenLogProb>)[] => ids.map((id, i) => found[i] ?? { id })

function choiceOf({ lm }: Service, texts: Texts, made: Generation, index: number): unknown {
  const { fields, isEcho, most, n } = texts
  const { ids, text } = texts.asked[Math.floor(index / n)]!
  const prompt = made.promptLogprobs
  const read = isEcho ? entries(ids, prompt ?? []) : []
  const at = new TextOffsets(lm, isEcho ? { ids, text } : undefined)
  const stop = fields.include_stop_str_in_output && typeof made.stop === 'string' ? made.stop : ''
  return {
    index,
    text: `${isEcho ? text : ''}${made.text}${stop}`,
    logprobs: most === undefined ? null : textLogProbs(lm, [...read, ...(made.logprobs ?? [])], most, at),
    finish_reason: made.finishReason,
    stop_reason: made.stop ?? null,
    ...(fields.prompt_logprobs !== undefined &&
      prompt !== undefined && { prompt_logprobs: promptLogProbs(lm, prompt, fields.prompt_logprobs) }),
    ...(fields.return_token_ids && { prompt_token_ids: ids, token_ids: made.tokenIds }),
  }
}

async function* chunks(
  call: Call,
  frame: object,
  texts: Texts,
  pieces: AsyncIterable<Indexed<GenerationPiece>>,
): AsyncGenerator<unknown, void, undefined> {
  const { lm } = call.service
  const { fields, n, isEcho, most } = texts
  const { include_usage, continuous_usage_stats } = fields.stream_options ?? {}
  const usage = new UsageCount()
  for (const [prompt, { ids }] of texts.asked.entries()) usage.reads(prompt, ids.length)
  const offsets = new Map<number, TextOffsets>()
  for await (const { index, piece } of pieces) {
    const prompt = Math.floor(index / n)
    const isFirst = !offsets.has(index)
    const { ids, text: promptText } = texts.asked[prompt]!
    const read = isFirst && isEcho ? entries(ids, piece.promptLogprobs ?? []) : []
    const tokens = [...read, ...(piece.logprobs ?? [])]
    const at = offsets.get(index) ?? new TextOffsets(lm, isEcho ? { ids, text: promptText } : undefined)
    offsets.set(index, at)
    const logprobs = most === undefined ? null : textLogProbs(lm, tokens, most, at)
    usage.piece(prompt, piece)
    const stop = fields.include_stop_str_in_output && typeof piece.stop === 'string' ? piece.stop : ''
    const text = `${isFirst && isEcho ? promptText : ''}${piece.text}${stop}`
    if (text === '' && tokens.length === 0 && piece.finishReason === undefined && !fields.return_token_ids) continue
    yield {
      ...frame,
      choices: [
        {
          index,
          text,
          logprobs,
          finish_reason: piece.finishReason ?? null,
          stop_reason: piece.stop ?? null,
          ...(fields.return_token_ids && { token_ids: piece.tokenIds, ...(isFirst && { prompt_token_ids: ids }) }),
          ...(piece.promptLogprobs !== undefined &&
            fields.prompt_logprobs !== undefined && {
              prompt_logprobs: promptLogProbs(lm, piece.promptLogprobs, fields.prompt_logprobs),
            }),
        },
      ],
      ...(include_usage && { usage: continuous_usage_stats ? usage.now : null }),
    }
  }
  const all = usage.told(call.trace)
  if (include_usage) yield { ...frame, choices: [], usage: all }
}
