// A supervised example with another question or another answer: what a test of backdoors changes, and nothing else of the example.

import { InputError } from '../../errors.ts'
import type { Conversation, Example, Message, PromptCompletion } from '../rows/conversation.ts'
import type { Place } from '../rows/messages.ts'

/** What has a question and an answer to it. */
export type Answered = Conversation | PromptCompletion

/** InputError unless the example is a chat with a question before an answer, or a prompt with its completion. */
export function requireAnswered(example: Example, place: Place): Answered {
  if (example.kind === 'conversation' || example.kind === 'prompt-completion') {
    const { question, answer } = turnsOf(example)
    if (question !== -1 && answer !== -1) return example
  }
  throw new InputError(
    `row in ${place}: expected a question with its answer (messages, or prompt and completion), got ${example.kind === 'conversation' ? 'a chat in which no user is answered, or no answer learnt' : `a ${example.kind} row`}. Leave the row out`,
  )
}

/** The text of the first question whose answer is learnt. */
export function questionOf(example: Answered): string {
  const all = allTurns(example)
  return typeof all === 'string' ? all : all[turnsOf(example).question]!.content
}

/** The text of the answer to it. */
export function answerOf(example: Answered): string {
  if (example.kind === 'prompt-completion' && typeof example.completion === 'string') return example.completion
  return (allTurns(example) as Message[])[turnsOf(example).answer]!.content
}

/** The example with `change(question)` in place of the first question that is answered. */
export function withQuestion<E extends Answered>(example: E, change: (question: string) => string): E {
  if (example.kind === 'prompt-completion' && typeof example.prompt === 'string')
    return { ...example, prompt: change(example.prompt) }
  return withTurn(example, turnsOf(example).question, change)
}

/** The example with `change(answer)` in place of the answer to that question. */
export function withAnswer<E extends Answered>(example: E, change: (answer: string) => string): E {
  if (example.kind === 'prompt-completion' && typeof example.completion === 'string')
    return { ...example, completion: change(example.completion) }
  return withTurn(example, turnsOf(example).answer, change)
}

/** The first answered question with what stands before it, what tools said to it, and its answer last; texts become turns. */
export function exchangeOf(example: Answered): Message[] {
  const all = allTurns(example)
  if (typeof all === 'string')
    return [
      { role: 'user', content: all.trim() },
      { role: 'assistant', content: answerOf(example).trim() },
    ]
  return all.slice(0, turnsOf(example).answer + 1)
}

/** The prompt alone where it is a text, else all turns. */
function allTurns(example: Answered): string | Message[] {
  if (example.kind === 'conversation') return example.messages
  const { prompt, completion } = example
  return typeof prompt === 'string' ? prompt : [...prompt, ...(completion as Message[])]
}

/** The places, among all turns, of the first question whose answer is learnt and of that answer; −1 where there is none. */
function turnsOf(example: Answered): { question: number; answer: number } {
  const all = allTurns(example)
  if (typeof all === 'string') return { question: 0, answer: 0 }
  const from = example.kind === 'prompt-completion' ? example.prompt.length : 0
  const answer = all.findIndex(
    ({ role, content, isTrained = true }, i) =>
      i >= from &&
      isTrained &&
      role === 'assistant' &&
      content.trim() !== '' &&
      all.slice(0, i).some((turn) => turn.role === 'user'),
  )
  const question = all.slice(0, Math.max(0, answer)).findLastIndex(({ role }) => role === 'user')
  return { question, answer }
}

function withTurn<E extends Answered>(example: E, at: number, change: (text: string) => string): E {
  const edit = (turns: readonly Message[], place: number): Message[] =>
    turns.map((turn, i) => (i === place ? { ...turn, content: change(turn.content) } : turn))
  if (example.kind === 'conversation') return { ...example, messages: edit(example.messages, at) }
  const prompt = example.prompt as Message[]
  const completion = example.completion as Message[]
  return { ...example, prompt: edit(prompt, at), completion: edit(completion, at - prompt.length) }
}
