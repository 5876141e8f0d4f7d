// The messages of a request → those that chat templates know.

import { z } from 'zod'
import type { ChatMessage } from '../text/chat-template.ts'
import { rememberSpelling } from '../text/json-spelling.ts'
import { ApiError } from './api-error.ts'

/** A message as clients send it. */
export interface MessageFields {
  role: string
  content?: string | readonly { type: string; text?: string | undefined }[] | null | undefined
  [field: string]: unknown
}

/** Roles of the OpenAI API; templates know `system` for `developer`. */
const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const

/** The schema of `messages`. */
export const MESSAGES: z.ZodType<MessageFields[]> = z
  .array(
    z.looseObject({
      role: z.enum(ROLES),
      content: z
        .union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
        .nullish(),
      name: z.string().nullish(),
      tool_calls: z
        .array(
          z.looseObject({
            id: z.string().nullish(),
            function: z.looseObject({
              name: z.string(),
              arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
            }),
          }),
        )
        .max(128)
        .nullish(),
      tool_call_id: z.string().nullish(),
      reasoning_content: z.string().nullish(),
    }),
  )
  .min(1)
  .max(2048)

/** Messages for a template: texts in place of their parts, arguments of calls as objects, nothing that is null but the content beside calls. */
export function chatMessages(messages: readonly MessageFields[]): ChatMessage[] {
  return messages.map((message, i) => {
    const { role, content, tool_calls, reasoning, ...rest } = message
    const others = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null))
    const hasCalls = Array.isArray(tool_calls) && tool_calls.length > 0
    const thought = others.reasoning_content ?? reasoning
    return {
      role: role === 'developer' ? 'system' : role,
      // Beside calls a content of null is what templates look for; elsewhere they would write its name.
      content: textOf(content, `messages[${i}].content`) ?? (hasCalls ? null : ''),
      ...others,
      ...(typeof thought === 'string' && { reasoning_content: thought }),
      ...(hasCalls && { tool_calls: tool_calls.map(callOf) }),
    }
  })
}

/** The text of a content; of several parts, line by line. */
function textOf(content: MessageFields['content'], param: string): string | null {
  if (content === undefined || content === null || typeof content === 'string') return content ?? null
  const texts = content.map(
    ({ type, text, refusal }: { type: string; text?: string | undefined; refusal?: unknown }, i) => {
      if ((type === 'text' || type === 'input_text' || type === 'output_text') && text !== undefined) return text
      if (type === 'refusal' && typeof refusal === 'string') return refusal
      throw new ApiError(
        400,
        `${param}[${i}]: expected a text, got a part of type ${JSON.stringify(type.slice(0, 60))}`,
        {
          param: `${param}[${i}]`,
          code: 'unsupported_content',
        },
      )
    },
  )
  return texts.join('\n')
}

/** Templates write the arguments of a call as an object. */
function callOf(call: { function: { name: string; arguments?: unknown } } & Record<string, unknown>): unknown {
  const { arguments: given = {} } = call.function
  const type = call.type ?? 'function'
  if (typeof given !== 'string') return { ...call, type, function: { ...call.function, arguments: given ?? {} } }
  try {
    const parsed: unknown = JSON.parse(given === '' ? '{}' : given)
    rememberSpelling(given, parsed)
    return { ...call, type, function: { ...call.function, arguments: parsed } }
  } catch {
    return { ...call, type } // what a model wrote wrongly is shown to it as it was
  }
}
