// Texts of a row that its shape does not read although their names say that they belong to the chat: a question, a system message, the
// context of a question. What only repeats the chat, or is the chat rendered, is no loss.

import type { Example, Turns } from './conversation.ts'
import type { Purpose } from './shapes.ts'

const ASKED = ['system', 'system_prompt', 'instruction', 'question', 'query', 'prompt', 'input', 'context', 'history']
const CHATS = ['messages', 'conversations', 'conversation']
const ANSWERS = ['output', 'response', 'answer', 'completion', 'text']

/** Names by which a column is part of what is asked or learnt. Answers beside a pair are taken for what they are called: other data. */
const NAMES: Readonly<Record<Purpose, readonly string[]>> = {
  supervised: [...ASKED, ...CHATS, ...ANSWERS],
  labelled: [...ASKED, ...CHATS, ...ANSWERS],
  preference: [...ASKED, ...CHATS],
}

/** The columns among `unread` whose text would vanish. */
export function unusedTexts(
  example: Example,
  unread: readonly string[],
  fields: Readonly<Record<string, unknown>>,
  purpose: Purpose | undefined,
): string[] {
  const suspects = purpose === undefined ? [] : unread.filter((name) => NAMES[purpose].includes(name))
  if (suspects.length === 0) return []
  const used = textsOf(example).filter((text) => text !== '')
  const all = used.join(' ')
  const isTold = (text: string): boolean =>
    text === '' || all.includes(text) || used.some((part) => part.length > 0 && text.includes(part))
  return suspects.filter((name) => !stringsIn(fields[name]).map(plain).every(isTold))
}

function textsOf(example: Example): string[] {
  switch (example.kind) {
    case 'conversation':
      return texts(example.messages)
    case 'preference':
      return [...texts(example.prompt), ...texts(example.chosen), ...texts(example.rejected)]
    case 'text':
      return [plain(example.text)]
    case 'prompt':
      return texts(example.prompt)
    default:
      return [...texts(example.prompt), ...texts(example.completion)]
  }
}

function texts(turns: Turns): string[] {
  return typeof turns === 'string' ? [plain(turns)] : turns.map(({ content }) => plain(content))
}

/** Every string in a value but the names of roles. */
function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(stringsIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => (key === 'role' || key === 'from' ? [] : stringsIn(inner)))
}

function plain(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
