// What a model's tokenizer and chat template make of a request, for clients that count, cut or look: POST /tokenize, /detokenize,
// /apply-template, GET /tokenizer_info. vLLM's shapes.

import { z } from 'zod'
import { chatPrompt } from '../chat/plan.ts'
import type { Lm, Prompt } from '../lm/lm.ts'
import { ApiError } from './api-error.ts'
import { TEMPLATE, type TemplateFields, templateOptions } from './chat-completions.ts'
import type { Fields } from './fields.ts'
import { tokenName } from './log-prob-entries.ts'
import { readFields } from './read-fields.ts'
import { adapterNamed, type Call, type Service } from './service.ts'

/** A text, or a chat. */
export interface TokenizeFields extends Omit<TemplateFields, 'messages'> {
  model?: string | undefined
  prompt?: string | undefined
  messages?: TemplateFields['messages'] | undefined
  add_special_tokens?: boolean | undefined
  allow_special?: boolean | undefined
  return_token_strs?: boolean | undefined
}

export const TOKENIZE: Fields<TokenizeFields> = {
  ...TEMPLATE,
  model: z.string().optional(),
  prompt: z.string().optional(),
  messages: TEMPLATE.messages.optional(),
  add_special_tokens: z.boolean().optional(),
  allow_special: z.boolean().optional(),
  return_token_strs: z.boolean().optional(),
}

export interface DetokenizeFields {
  model?: string | undefined
  tokens: number[]
}

export const DETOKENIZE: Fields<DetokenizeFields> = { model: z.string().optional(), tokens: z.array(z.int().min(0)) }

export interface RenderFields extends TemplateFields {
  model?: string | undefined
  reasoning_effort?: string | undefined
  tool_choice?: unknown
}

export const RENDER: Fields<RenderFields> = {
  ...TEMPLATE,
  model: z.string().optional(),
  reasoning_effort: z.string().optional(),
  tool_choice: z.unknown().optional(),
}

/** The ids of a text or a chat. */
export function tokenize(call: Call): Response {
  const { service } = call
  const fields = readFields(TOKENIZE, call)
  adapterNamed(service, fields.model)
  const { prompt, messages, add_special_tokens, allow_special } = fields
  if ((prompt === undefined) === (messages === undefined))
    throw new ApiError(400, 'prompt: expected it or messages, got both or neither', { param: 'prompt' })
  const { lm } = service
  const what: Prompt =
    prompt === undefined
      ? chatPrompt(lm, templateOptions(call, { ...fields, messages: messages! }))
      : {
          prompt,
          ...(add_special_tokens !== undefined && { addSpecialTokens: add_special_tokens }),
          // Nothing but the name of a control token asks for its id: lm-evaluation-harness finds start and end tokens so.
          allowSpecial: allow_special ?? lm.controlTokens?.includes(prompt) ?? false,
        }
  const tokens = lm.encode(what)
  return Response.json({
    count: tokens.length,
    max_model_len: lm.contextLength,
    tokens,
    token_strs: fields.return_token_strs ? tokens.map((id) => tokenName(lm, id)) : null,
  })
}

/** The text of ids, control tokens spelled out. */
export function detokenize(call: Call): Response {
  const { service } = call
  const fields = readFields(DETOKENIZE, call)
  adapterNamed(service, fields.model)
  const { lm } = service
  const wrong = fields.tokens.find((id) => id >= lm.vocabSize)
  if (wrong !== undefined)
    throw new ApiError(400, `tokens: expected token ids from 0 to ${lm.vocabSize - 1}, got ${wrong}`, {
      param: 'tokens',
    })
  return Response.json({ prompt: spelled(lm, fields.tokens) })
}

/** `Lm.decode` leaves control tokens out; here they stand as their names. */
function spelled(lm: Lm, ids: readonly number[]): string {
  const controls = new Set(lm.controlTokens)
  // A request may bring a million ids; those that differ are few.
  const names = new Map<number, string | undefined>()
  const nameOf = (id: number): string | undefined => {
    const name = lm.decode([id]) === '' ? tokenName(lm, id) : ''
    return controls.has(name) ? name : undefined
  }
  const runs: string[] = []
  let from = 0
  for (const [i, id] of ids.entries()) {
    if (!names.has(id)) names.set(id, nameOf(id))
    const name = names.get(id)
    if (name === undefined) continue
    runs.push(lm.decode(ids.slice(from, i)), name)
    from = i + 1
  }
  return [...runs, lm.decode(ids.slice(from))].join('')
}

/** A chat as the model reads it: the text, and its ids. */
export function render(call: Call): Response {
  const { service } = call
  const fields = readFields(RENDER, call)
  adapterNamed(service, fields.model)
  const { lm } = service
  const prompt = chatPrompt(lm, {
    ...templateOptions(call, fields),
    ...(fields.tool_choice === 'none' && { toolChoice: 'none' }),
  })
  const { messages, ...options } = prompt
  const { addGenerationPrompt = options.continueFinalMessage !== true } = options
  const ids = lm.encode(prompt)
  return Response.json({
    prompt: lm.renderChat!(messages, { ...options, addGenerationPrompt }),
    tokens: ids,
    count: ids.length,
  })
}

/** The names of tokens, and the chat template. */
export function tokenizerInfo({ lm }: Service): Response {
  return Response.json({
    ...lm.namedTokens,
    ...(lm.chatTemplate !== undefined && { chat_template: lm.chatTemplate }),
    model_max_length: lm.contextLength,
    vocab_size: lm.vocabSize,
  })
}
