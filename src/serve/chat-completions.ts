// POST /v1/chat/completions: the answers of a conversation, whole or as they are written.

import { z } from 'zod'
import { type ChatAnswer, type ChatPiece, collectChat } from '../chat/answer.ts'
import { chat } from '../chat/chat.ts'
import { chatNotices, chatPrompt } from '../chat/plan.ts'
import type { ChatRequest, Tool } from '../chat/request.ts'
import { ApiError } from './api-error.ts'
import { choices, type Indexed } from './choices.ts'
import { type Fields, SAMPLING, type SamplingFields } from './fields.ts'
import { type ChatLogProb, chatLogProbs, promptLogProbs } from './log-prob-entries.ts'
import { chatMessages, MESSAGES, type MessageFields } from './messages.ts'
import { readFields } from './read-fields.ts'
import { answered } from './respond.ts'
import { samplingOptions, seedOf } from './sampling-options.ts'
import { adapterNamed, type Call, newTokens, notice, refuseFarTooLong, tellIgnored } from './service.ts'
import { UsageCount } from './usage.ts'
import { withoutNulls } from './without-nulls.ts'

/** What the chat template of a request is given. */
export interface TemplateFields {
  messages: MessageFields[]
  tools?: Tool[] | undefined
  documents?: unknown[] | undefined
  chat_template_kwargs?: Record<string, unknown> | undefined
  add_generation_prompt?: boolean | undefined
  continue_final_message?: boolean | undefined
}

/** A request. */
export interface ChatFields extends SamplingFields, TemplateFields {
  max_tokens?: number | undefined
  max_completion_tokens?: number | undefined
  logprobs?: boolean | undefined
  top_logprobs?: number | undefined
  tool_choice?: 'none' | 'auto' | 'required' | { type: 'function'; function: { name: string } } | undefined
  parallel_tool_calls?: boolean | undefined
  reasoning_effort?: string | undefined
}

/** The schemas of `TemplateFields`. */
export const TEMPLATE: Fields<TemplateFields> = {
  messages: MESSAGES,
  tools: z
    .array(
      z.object({
        type: z.literal('function'),
        // Templates write what is there: a null that a client sends for what it leaves open would be read by the model.
        function: z.preprocess(
          withoutNulls,
          z.looseObject({
            name: z.string(),
            description: z.string().optional(),
            parameters: z.unknown().optional(),
            strict: z.boolean().optional(),
          }),
        ),
      }),
    )
    .min(1)
    .max(128)
    .optional() as z.ZodType<Tool[] | undefined>,
  documents: z.array(z.unknown()).max(256).optional(),
  chat_template_kwargs: z
    .record(z.string(), z.unknown())
    .refine((variables) => Object.keys(variables).length <= 128, 'expected at most 128 variables')
    .optional(),
  add_generation_prompt: z.boolean().optional(),
  continue_final_message: z.boolean().optional(),
}

/** The schemas of a request. */
export const CHAT: Fields<ChatFields> = {
  ...TEMPLATE,
  ...SAMPLING,
  max_tokens: z.int().min(1).optional(),
  max_completion_tokens: z.int().min(1).optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).max(20).optional(),
  tool_choice: z
    .union([
      z.enum(['none', 'auto', 'required']),
      z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) }),
    ])
    .optional(),
  parallel_tool_calls: z.boolean().optional(),
  reasoning_effort: z.string().max(64).optional().describe('Given to chat templates that ask for it'),
}

/** Answers the request. */
export async function chatCompletions(call: Call): Promise<Response> {
  const { service, headers, trace } = call
  const fields = readFields(CHAT, call)
  const { max_tokens, max_completion_tokens = max_tokens } = fields
  tellIgnored(headers, [
    ...(fields.skip_special_tokens === false ? ['skip_special_tokens'] : []),
    ...(max_tokens !== undefined && max_tokens !== max_completion_tokens ? ['max_tokens'] : []),
  ])
  const { n = 1, priority } = fields
  const { request, promptIds } = chatRequest(call, fields)
  for (const text of chatNotices(service.lm, request)) notice(headers, text)
  const model = fields.model ?? service.name
  trace.model = model
  const frame = { id: `chatcmpl-${trace.id}`, created: Math.floor(Date.now() / 1000), model }
  const pieces = choices(call, { count: n, priority }, (index, signal) => {
    const seed = request.seed === undefined ? {} : { seed: seedOf(request.seed, index) }
    const answer = chat(service.lm, { ...request, ...seed, promptLogprobs: index === 0 && asksPrompt(fields), signal })
    return fields.include_stop_str_in_output ? withStop(answer) : answer
  })
  if (fields.stream) return answered(call, chunks(call, fields, { ...frame, promptTokens: promptIds.length }, pieces))
  const answers = await wholeAnswers(pieces, n)
  const usage = new UsageCount()
  for (const answer of answers) usage.add(0, answer.usage)
  const { promptLogprobs } = answers[0]!
  return answered(call, {
    ...frame,
    object: 'chat.completion',
    system_fingerprint: service.lm.info?.revision ?? null,
    choices: answers.map((answer, index) => choiceOf(call, fields, answer, index)),
    usage: usage.told(trace),
    ...(promptLogprobs !== undefined && {
      prompt_logprobs: promptLogProbs(service.lm, promptLogprobs, fields.prompt_logprobs!),
    }),
    ...(fields.return_token_ids && { prompt_token_ids: promptIds }),
  })
}

const asksPrompt = (fields: ChatFields): boolean => fields.prompt_logprobs !== undefined

/** What is asked of the model, the same for all choices. ApiError where that makes no sense or does not fit. */
function chatRequest(call: Call, fields: ChatFields): { request: ChatRequest; promptIds: readonly number[] } {
  const { service } = call
  const { top_logprobs, logprobs = false, tool_choice } = fields
  if (top_logprobs !== undefined && !logprobs)
    throw new ApiError(400, 'top_logprobs: expected it with logprobs: true alone', { param: 'top_logprobs' })
  const adapter = adapterNamed(service, fields.model)
  const template = templateOptions(call, fields)
  // Templates leave thoughts of earlier answers out, so what the assistant said does not count.
  const others = template.messages.filter(({ role }) => role !== 'assistant')
  const texts = others.map(({ content }) => String(content ?? ''))
  if (fields.truncate_prompt_tokens === undefined) refuseFarTooLong(service, texts, 'messages')
  const request: ChatRequest = {
    ...samplingOptions(fields, service),
    ...template,
    adapter,
    ...(logprobs && { logprobs }),
    ...((logprobs || asksPrompt(fields)) && { topLogprobs: Math.max(top_logprobs ?? 0, fields.prompt_logprobs ?? 0) }),
    ...(tool_choice !== undefined && {
      toolChoice: typeof tool_choice === 'string' ? tool_choice : { name: tool_choice.function.name },
    }),
    ...(fields.parallel_tool_calls !== undefined && { parallelToolCalls: fields.parallel_tool_calls }),
  }
  const asked = fields.max_completion_tokens ?? fields.max_tokens
  const ids = service.lm.encode(chatPrompt(service.lm, request))
  const promptIds = ids.slice(-(fields.truncate_prompt_tokens ?? ids.length))
  const maxNewTokens = newTokens(service, asked, promptIds.length, service.maxNewTokens, 'messages')
  return { request: { ...request, maxNewTokens }, promptIds }
}

/** The messages, and what else a template is given. */
export function templateOptions(
  { service, headers }: Call,
  fields: TemplateFields & { reasoning_effort?: string | undefined },
): Pick<
  ChatRequest,
  'messages' | 'tools' | 'documents' | 'variables' | 'addGenerationPrompt' | 'continueFinalMessage'
> {
  const { tools, documents, add_generation_prompt, continue_final_message, reasoning_effort } = fields
  if (!service.lm.canChat)
    throw new ApiError(
      400,
      'messages: expected a model with a chat template, got one without. Use /v1/completions, or a model that has one (chat_template.jinja beside its weights)',
      { param: 'messages', code: 'no_chat_template' },
    )
  const variables = { ...fields.chat_template_kwargs }
  if (reasoning_effort !== undefined) {
    if (service.lm.chatTemplate?.includes('reasoning_effort')) variables.reasoning_effort ??= reasoning_effort
    else tellIgnored(headers, ['reasoning_effort'])
  }
  return {
    messages: chatMessages(fields.messages),
    ...(tools !== undefined && { tools }),
    ...(documents !== undefined && { documents }),
    ...(Object.keys(variables).length > 0 && { variables }),
    ...(add_generation_prompt !== undefined && { addGenerationPrompt: add_generation_prompt }),
    ...(continue_final_message !== undefined && { continueFinalMessage: continue_final_message }),
  }
}

/** A stop string is a part of the answer. */
async function* withStop(pieces: AsyncIterable<ChatPiece>): AsyncGenerator<ChatPiece, void, undefined> {
  for await (const piece of pieces)
    yield typeof piece.stop === 'string'
      ? { ...piece, deltas: [...piece.deltas, { type: 'text', text: piece.stop }] }
      : piece
}

async function wholeAnswers(pieces: AsyncIterable<Indexed<ChatPiece>>, count: number): Promise<ChatAnswer[]> {
  const all: ChatPiece[][] = Array.from({ length: count }, () => [])
  for await (const { index, piece } of pieces) all[index]!.push(piece)
  return Promise.all(all.map((parts) => collectChat(parts)))
}

function choiceOf({ service }: Call, fields: ChatFields, answer: ChatAnswer, index: number): unknown {
  const { text, reasoning, toolCalls, finishReason, stop } = answer
  const calls = toolCalls.map(({ id, name, arguments: given }) => ({
    id,
    type: 'function',
    function: { name, arguments: given },
  }))
  return {
    index,
    message: {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      refusal: null,
      ...(reasoning !== '' && { reasoning_content: reasoning }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
    logprobs: fields.logprobs
      ? { content: chatLogProbs(service.lm, answer.logprobs ?? [], fields.top_logprobs ?? 0), refusal: null }
      : null,
    finish_reason: finishReason,
    stop_reason: stop ?? null,
    ...(fields.return_token_ids && { token_ids: answer.tokenIds }),
  }
}

/** The chunks of a stream: the role first, what each piece adds, how the text ended, and the usage where it is asked for. */
async function* chunks(
  call: Call,
  fields: ChatFields,
  { promptTokens, ...frame }: { id: string; created: number; model: string; promptTokens: number },
  pieces: AsyncIterable<Indexed<ChatPiece>>,
): AsyncGenerator<unknown, void, undefined> {
  const { include_usage, continuous_usage_stats } = fields.stream_options ?? {}
  const { lm } = call.service
  const usage = new UsageCount()
  usage.reads(0, promptTokens)
  const begun = new Set<number>()
  const waiting = new Map<number, { logprobs: ChatLogProb[]; tokenIds: number[] }>()
  const chunk = (index: number, delta: unknown, rest: object = {}, beside: object = {}): unknown => ({
    ...frame,
    object: 'chat.completion.chunk',
    system_fingerprint: lm.info?.revision ?? null,
    choices: [{ index, delta, logprobs: null, finish_reason: null, ...rest }],
    ...(include_usage && { usage: continuous_usage_stats ? usage.now : null }),
    ...beside,
  })
  for await (const { index, piece } of pieces) {
    if (!begun.has(index)) {
      begun.add(index)
      const { promptLogprobs } = piece
      yield chunk(
        index,
        { role: 'assistant', content: '' },
        {},
        {
          ...(promptLogprobs !== undefined && {
            prompt_logprobs: promptLogProbs(lm, promptLogprobs, fields.prompt_logprobs!),
          }),
        },
      )
    }
    const held = waiting.get(index) ?? { logprobs: [], tokenIds: [] }
    waiting.set(index, held)
    if (fields.logprobs) held.logprobs.push(...chatLogProbs(lm, piece.logprobs ?? [], fields.top_logprobs ?? 0))
    if (fields.return_token_ids) held.tokenIds.push(...piece.tokenIds)
    usage.piece(0, piece)
    // Numbers of tokens whose text is still held back go with the next text.
    const told = (): object => {
      const { logprobs, tokenIds } = held
      waiting.delete(index)
      return {
        ...(fields.logprobs && { logprobs: { content: logprobs, refusal: null } }),
        ...(fields.return_token_ids && { token_ids: tokenIds }),
      }
    }
    for (const [i, delta] of piece.deltas.entries()) yield chunk(index, deltaOf(delta), i === 0 ? told() : {})
    if (piece.finishReason === undefined) continue
    const rest = held.logprobs.length + held.tokenIds.length > 0 && waiting.has(index) ? told() : {}
    yield chunk(index, {}, { ...rest, finish_reason: piece.finishReason, stop_reason: piece.stop ?? null })
  }
  const all = usage.told(call.trace)
  if (include_usage) yield { ...frame, object: 'chat.completion.chunk', choices: [], usage: all }
}

function deltaOf(delta: ChatPiece['deltas'][number]): unknown {
  if (delta.type === 'text') return { content: delta.text }
  if (delta.type === 'reasoning') return { reasoning_content: delta.text }
  const { index } = delta
  if (delta.type === 'tool-arguments') return { tool_calls: [{ index, function: { arguments: delta.text } }] }
  const { id, name } = delta
  return { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }
}
