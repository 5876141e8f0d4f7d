// What a program asked and got as rows to train on, in the forms that stages sft and dpo read.

import { UsageError } from '../../errors.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { isText } from './is-running-text.ts'
import type { ModelAnswer } from './model-call.ts'
import type { Trace, TracedCall } from './traced-call.ts'

/** A conversation with its accepted answer; or, of a session or a script without turns, the text so far and what the model went on with. */
export type SftRow = { messages: ChatMessage[]; tools?: readonly unknown[] } | { prompt: string; completion: string }

/** Two answers to the same, of which one was accepted and the other refused. */
export interface DpoRow {
  prompt: ChatMessage[]
  chosen: ChatMessage[]
  rejected: ChatMessage[]
  tools?: readonly unknown[]
}

/**
 * The answers that the program took, each with what was asked at first: where one was asked for again, without the refused answers in
 * between. A conversation that goes on is one row.
 */
export function sftRows(trace: Trace): SftRow[] {
  const rows = accepted(trace).map((call) => row(trace, call))
  const texts = rows
    .map((one) => ('messages' in one ? one : { messages: [], tools: one }))
    .map(({ messages, tools }) => ({ tools: JSON.stringify(tools), parts: messages.map(textOf) }))
  return rows.filter((_, i) => {
    const { tools, parts } = texts[i]!
    if (parts.length === 0) return !texts.slice(0, i).some((other) => other.tools === tools)
    const isBegun = (other: (typeof texts)[number], j: number): boolean =>
      i !== j &&
      other.tools === tools &&
      (other.parts.length > parts.length || (j < i && other.parts.length === parts.length)) &&
      parts.every((part, k) => part === other.parts[k])
    return !texts.some(isBegun)
  })
}

/** Pairs of an accepted and a refused answer to the same question: those that were asked for again, and what guards drew again. */
export function dpoRows(trace: Trace): DpoRow[] {
  const chosen = accepted(trace, true)
  const seen = new Set<string>()
  return trace.calls
    .filter((call) => isRefused(call) && !isText(call.call.messages))
    .flatMap((refused) => {
      const prompt = asked(trace, refused)
      const key = JSON.stringify([prompt, refused.call.tools])
      const better = chosen.find((call) => JSON.stringify([asked(trace, call), call.call.tools]) === key)
      if (better === undefined) return []
      const { tools } = refused.call
      const pair = {
        prompt,
        chosen: [answerOf(better.answer!)],
        rejected: [answerOf(refused.answer!)],
        ...(tools !== undefined && { tools }),
      }
      const text = JSON.stringify(pair)
      if (textOf(pair.chosen[0]!) === textOf(pair.rejected[0]!) || seen.has(text)) return []
      seen.add(text)
      return [pair]
    })
}

/** Calls whose answers are whole and were taken: of the program itself, or with `isInner` of wrappers too. */
function accepted({ calls, isDry }: Trace, isInner = false): TracedCall[] {
  if (isDry) throw new UsageError('trace: expected answers of a model, got a dry run')
  return calls.filter(
    ({ parent, answer, fault }) =>
      (isInner || parent === undefined) && fault === undefined && answer !== undefined && isWhole(answer),
  )
}

const isRefused = ({ answer, fault }: TracedCall): boolean =>
  fault !== undefined && answer !== undefined && isWhole(answer)

const isWhole = ({ finishReason, text, toolCalls }: ModelAnswer): boolean =>
  (finishReason === 'stop' || finishReason === 'tool_calls') && (text.trim() !== '' || toolCalls.length > 0)

/** What was asked before any answer was refused. */
function asked({ calls }: Trace, call: TracedCall): ChatMessage[] {
  let first = call
  while (first.again !== undefined) first = calls[first.again]!
  return first.call.messages.map((message) => ({ ...message }))
}

function row(trace: Trace, call: TracedCall): SftRow {
  const { tools, messages } = call.call
  if (isText(messages))
    return { prompt: call.text ?? String(messages[0]?.content ?? ''), completion: call.answer!.text }
  const question = asked(trace, call)
  const answer = answerOf(call.answer!)
  const last = question.at(-1)
  // The answer's own beginning, which the program wrote, and the model went on with. What came begins with the white space at its end.
  if (last?.role === 'assistant' && answer.content !== '') {
    const begun = String(last.content)
    answer.content = (/^\s/.test(String(answer.content)) ? begun.trimEnd() : begun) + String(answer.content)
    question.pop()
  }
  return { messages: [...question, answer], ...(tools !== undefined && { tools }) }
}

function answerOf({ text, reasoning, toolCalls }: ModelAnswer): ChatMessage {
  return {
    role: 'assistant',
    content: text,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map(({ id, name, arguments: given }) => ({
        id,
        type: 'function',
        function: { name, arguments: given },
      })),
    }),
  }
}

/** What makes a turn the same: not how the keys of a message stand. */
const textOf = ({ role, content, tool_calls: calls, tool_call_id: id }: ChatMessage): string =>
  JSON.stringify([role, content, calls, id])
