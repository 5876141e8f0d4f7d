// What a model is shown, looked at: messages of users, what tools answered, and texts of others that are quoted in them.

import type { ChatMessage } from '../../text/chat-template.ts'
import { WORDINGS } from '../base/wordings.ts'
import { type Asking, type Broken, type Passed, passed, type Rule } from './rule.ts'

/** Which rules are for which texts. */
export interface MessageRules {
  readonly input: readonly Rule[]
  readonly retrieval: readonly Rule[]
  readonly execution: readonly Rule[]
}

/**
 * The messages with what the rules write in the place of texts. A rule that refuses something of the last turn refuses the call; an earlier
 * message that is refused is written over, so that a conversation goes on without it.
 */
export async function checkedMessages(
  messages: readonly ChatMessage[],
  rules: MessageRules,
  asking: Asking,
): Promise<{ messages: readonly ChatMessage[] } | { broken: Broken }> {
  const turn = messages.findLastIndex(({ role, tool_calls: calls }) => role === 'assistant' && calls == null)
  const made: ChatMessage[] = []
  for (const [i, message] of messages.entries()) {
    const { role, content } = message
    const own =
      role === 'tool' ? [...rules.execution, ...rules.retrieval, ...rules.input] : role === 'user' ? rules.input : []
    const quoted = role === 'tool' || role === 'assistant' ? [] : rules.retrieval
    const check = async (text: string): Promise<Passed> => {
      const inner = await passedQuotes(text, quoted, asking)
      return 'broken' in inner ? inner : passed(inner.text, own, asking)
    }
    const result = await passedContent(content, check)
    if (!('broken' in result)) made.push(result.content === content ? message : { ...message, content: result.content })
    else if (i > turn || role === 'system') return result
    else made.push({ ...message, content: WORDINGS.removed })
  }
  return { messages: made }
}

/** A text, or the texts among parts of other kinds. */
async function passedContent(
  content: unknown,
  check: (text: string) => Promise<Passed>,
): Promise<{ content: unknown } | { broken: Broken }> {
  if (typeof content === 'string') {
    const result = await check(content)
    return 'broken' in result ? result : { content: result.text }
  }
  if (!Array.isArray(content)) return { content }
  const parts: unknown[] = []
  for (const part of content as readonly unknown[]) {
    const text = (part as { text?: unknown } | null)?.text
    const result = typeof text === 'string' ? await check(text) : undefined
    if (result !== undefined && 'broken' in result) return result
    parts.push(result === undefined || result.text === text ? part : { ...(part as object), text: result.text })
  }
  return { content: parts }
}

const OPEN = /<([A-Za-z][\w-]{0,31})>\n/g

/** The text with what `rules` write in the place of what stands between the marks of `quote`. */
async function passedQuotes(text: string, rules: readonly Rule[], asking: Asking): Promise<Passed> {
  if (rules.length === 0) return { text }
  const ends = new Map<string, number[]>()
  for (const { 1: name = '', index } of text.matchAll(/\n<\/([A-Za-z][\w-]{0,31})>/g))
    ends
      .set(name, ends.get(name) ?? [])
      .get(name)!
      .push(index)
  let made = ''
  let done = 0
  for (const { 0: mark, 1: name = '', index } of text.matchAll(OPEN)) {
    if (index < done) continue
    const start = index + mark.length
    const behind = ends.get(name) ?? []
    while (behind[0]! < start - 1) behind.shift()
    const [end] = behind
    if (end === undefined) continue
    const result = await passed(text.slice(start, Math.max(start, end)), rules, asking)
    if ('broken' in result) return result
    made += text.slice(done, start) + result.text
    done = Math.max(start, end)
  }
  return { text: made + text.slice(done) }
}
