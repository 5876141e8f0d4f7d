// Calls and their answers in messages, as chat templates expect them.

import type { ChatMessage } from '../text/chat-template.ts'
import { rememberSpelling } from '../text/json-spelling.ts'

/**
 * The messages as templates expect them: arguments of calls as mappings (OpenAI's clients send texts, which most templates would write as
 * texts within JSON), and no field for calls where there are none, as templates ask for the field.
 */
export function withCallsAsMappings(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  return messages.map((message) => {
    if (!('tool_calls' in message)) return message
    const { tool_calls: calls, ...rest } = message
    if (calls === null || (Array.isArray(calls) && calls.length === 0)) return rest as ChatMessage
    return Array.isArray(calls) ? { ...message, tool_calls: calls.map(withMapping) } : message
  })
}

function withMapping(call: { function?: { arguments?: unknown } }): unknown {
  const given = call?.function?.arguments
  if (typeof given !== 'string') return call
  try {
    const parsed: unknown = given.trim() === '' ? {} : JSON.parse(given)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return call
    rememberSpelling(given, parsed)
    return { ...call, function: { ...call.function, arguments: parsed } }
  } catch {
    return call // cut where an answer was, or no JSON: the template gets the text
  }
}
