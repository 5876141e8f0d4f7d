// A text behind the one that somebody asked, in a message of its own kind: a text, or parts of which some may be pictures.

import type { ChatMessage } from '../../text/chat-template.ts'

/** The messages with a text behind the last one of the user; parts of other kinds stay as they are. */
export function withText(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const last = messages.findLastIndex(({ role }) => role === 'user')
  return messages.map((message, i) =>
    i === last ? { ...message, content: contentWith(message.content, text) } : message,
  )
}

function contentWith(content: unknown, text: string): unknown {
  if (Array.isArray(content)) return [...(content as readonly unknown[]), { type: 'text', text }]
  return content === undefined || content === null || content === '' ? text : `${String(content)}\n\n${text}`
}
