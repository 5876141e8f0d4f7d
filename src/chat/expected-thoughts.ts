// Whether an answer may begin with thoughts, and whether its prompt has opened them.

import type { Lm } from '../lm/lm.ts'
import { type ReasoningMarks, reasoningMarks } from './families.ts'
import type { ChatRequest } from './request.ts'

/** The marks of thoughts that may come, and whether the prompt has opened them; undefined where none are expected. */
export function expectedThoughts(
  lm: Lm,
  template: string | undefined,
  prompt: Pick<ChatRequest, 'messages' | 'addGenerationPrompt' | 'continueFinalMessage'>,
): { marks: ReasoningMarks; isOpen: boolean } | undefined {
  const marks = reasoningMarks(template)
  if (marks === undefined) return undefined
  const { continueFinalMessage = false, addGenerationPrompt = !continueFinalMessage } = prompt
  const text = (lm.renderChat?.(prompt.messages, { ...prompt, addGenerationPrompt }) ?? '').trimEnd()
  if (continueFinalMessage) {
    const said = String(prompt.messages.at(-1)?.content ?? '')
    const [opened, closed] = [said.lastIndexOf(marks.open), said.lastIndexOf(marks.close)]
    if (opened > closed) return { marks, isOpen: true }
    if (said.trim() !== '') return undefined
  }
  if (text.endsWith(marks.close)) return undefined
  return { marks, isOpen: text.endsWith(marks.open) }
}
