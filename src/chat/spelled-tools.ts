// Tools for a chat template that knows of none: they stand in the system text, calls and answers in the messages' own texts.

import type { ChatMessage } from '../text/chat-template.ts'
import type { Tool } from './request.ts'

/** What tells a model of its tools where its chat template does not; `{tools}` becomes their JSON, one a line. */
export const TOOLS_TEXT = `You may call these functions:
{tools}
To call one, write this and nothing behind it but further calls:
<tool_call>
{"name": "the function's name", "arguments": {"argument": "value"}}
</tool_call>`

/** The messages with the tools in the system text, for a template that writes neither tools nor calls. `isRefused`: it takes no such messages. */
export function spellTools(
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
  isRefused: (messages: readonly ChatMessage[]) => boolean,
): ChatMessage[] {
  const spelled = spellCalls(messages)
  if (tools.length === 0) return spelled
  const text = TOOLS_TEXT.replace('{tools}', () => tools.map((tool) => JSON.stringify(tool.function)).join('\n'))
  const [first, ...rest] = spelled
  if (first?.role === 'system') return [withText(first, `${textOf(first)}\n\n${text}`), ...rest]
  const withSystem = [{ role: 'system', content: text }, ...spelled]
  if (first?.role !== 'user' || !isRefused(withSystem)) return withSystem
  // Some templates refuse a message of the system, and none refuses one of the user.
  return [withText(first, `${text}\n\n${textOf(first)}`), ...rest]
}

/** Calls and answers of tools as texts of the assistant and the user; messages of the user one behind another become one. */
function spellCalls(messages: readonly ChatMessage[]): ChatMessage[] {
  const made: ChatMessage[] = []
  let isAnswer = false
  for (const message of messages) {
    const isTool = message.role === 'tool'
    const spelled = isTool
      ? { role: 'user', content: `<tool_response>\n${textOf(message)}\n</tool_response>` }
      : withoutCalls(message)
    const last = made.at(-1)
    // Templates that want turns to alternate want it of what tools answer, too.
    if (isAnswer && last !== undefined && spelled.role === 'user')
      made[made.length - 1] = withText(last, `${textOf(last)}\n${textOf(spelled)}`)
    else made.push(spelled)
    isAnswer = isTool
  }
  return made
}

function withoutCalls(message: ChatMessage): ChatMessage {
  const { tool_calls: calls, ...rest } = message
  if (!Array.isArray(calls)) return message
  const blocks = calls.map((call: { function?: { name?: unknown; arguments?: unknown } }) => {
    const given = call.function?.arguments ?? {}
    const json = typeof given === 'string' ? given : JSON.stringify(given)
    return `<tool_call>\n{"name": ${JSON.stringify(call.function?.name)}, "arguments": ${json}}\n</tool_call>`
  })
  return withText(rest, [textOf(message), ...blocks].filter((part) => part !== '').join('\n'))
}

function withText(message: Omit<ChatMessage, 'role'> & { role?: unknown }, content: string): ChatMessage {
  return { ...message, role: String(message.role), content }
}

/** A message's text; of parts, those that are text. */
function textOf({ content }: { content?: unknown }): string {
  if (!Array.isArray(content)) return typeof content === 'string' ? content : ''
  return content.map((part: { text?: unknown }) => (typeof part?.text === 'string' ? part.text : '')).join('')
}
