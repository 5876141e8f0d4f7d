// Whether what a file holds is an answer, as far as anybody reads it.

import type { ModelAnswer } from './model-call.ts'

type Fields = Readonly<Record<string, unknown>>

/** An object that is no list. */
export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Texts, ids, calls of tools and counts as an answer has them. */
export function isAnswer(value: unknown): value is ModelAnswer {
  if (!isFields(value)) return false
  const { text, reasoning, toolCalls, tokenIds, finishReason, usage } = value
  return (
    [text, reasoning, finishReason].every((one) => typeof one === 'string') &&
    isListOf(
      toolCalls,
      (call) => isFields(call) && [call.id, call.name, call.arguments].every((one) => typeof one === 'string'),
    ) &&
    isListOf(tokenIds, Number.isInteger) &&
    isFields(usage) &&
    [usage.promptTokens, usage.completionTokens, usage.reasoningTokens].every(Number.isFinite)
  )
}

/** A list of nothing else. */
export const isListOf = (value: unknown, is: (one: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(is)
