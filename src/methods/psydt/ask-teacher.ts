// Asks the teacher once, on the terms of a row: what it says that is no answer is refused with the reason, so that whoever runs the
// synthesis can keep it and ask again.

import { AnswerError, answered } from '../../prompting/base/model.ts'
import type { Schema } from '../../prompting/base/schema.ts'
import { messagesOf, type PromptText } from '../../prompting/data/prompt.ts'
import { Refused, type RowTools } from '../../synth/recipe.ts'
import { filled, stacked } from './wordings.ts'

/** A prompt, with what was refused of earlier answers under it. */
export function withRefusals(prompt: PromptText, again: string, refused: readonly Refused[]): PromptText {
  if (refused.length === 0) return prompt
  const reasons = [...new Set(refused.map(({ message }) => message))].join('; ')
  return stacked([prompt, filled(again, { reasons })])
}

/** The answer's text. Refused where it is empty, cut off, or a refusal, or where the prompt has no room in the model. */
export async function askText({ model, signal }: RowTools, prompt: PromptText): Promise<string> {
  checkRoom(model, prompt)
  const { answer } = await answered(model, { messages: messagesOf(prompt), signal })
  const { text, finishReason, usage } = answer
  if (finishReason === 'length')
    throw new Refused(`an end after ${usage.completionTokens} tokens, the most that were allowed`, text)
  if (finishReason === 'content_filter') throw new Refused('no answer but a refusal', text)
  if (text.trim() === '') throw new Refused('an empty answer', text)
  return text.trim()
}

/** The answer as a value of the schema. Refused where it is none. */
export async function askTyped<T>({ model, signal }: RowTools, prompt: PromptText, as: Schema<T>): Promise<T> {
  checkRoom(model, prompt)
  try {
    return await model.ask(prompt, { as, again: 0, signal })
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error
    throw new Refused(error.message.replace(/^answer: (.*?) \(asked 1 times\)$/s, '$1'), error.answer.text)
  }
}

function checkRoom({ contextLength, countTokens }: RowTools['model'], prompt: PromptText): void {
  if (contextLength === undefined || countTokens === undefined) return
  const tokens = countTokens(String(prompt))
  if (tokens >= contextLength)
    throw new Refused(`a prompt of ${tokens} tokens, where the teacher reads ${contextLength}`, String(prompt))
}
