// Calls that went on with a text as it stood, of sessions and scripts, and not with a conversation that a template wrote.

import type { TracedCall } from './traced-call.ts'

/** Whether a model of ours went on with `ids` as they are. */
export const isRunningText = ({ call: { messages }, ids, notes = [] }: TracedCall): boolean =>
  ids !== undefined && (isText(messages) || notes.some(({ by }) => by === 'script'))

/** Whether what was asked is a text and no turns. */
export const isText = (messages: TracedCall['call']['messages']): boolean =>
  messages.length === 0 || messages[0]!.role === 'text'
