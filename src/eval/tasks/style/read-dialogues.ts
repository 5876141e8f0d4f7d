// Dialogues of one counsellor, or of anybody whose style is learnt: those that are held out, cases to show, and those of others.

import { InputError } from '../../../errors.ts'
import type { ChatMessage } from '../../../text/chat-template.ts'
import { brief, type Doc } from '../../task-config.ts'
import { filesNamed, needData, partOf, rowsOf } from '../need-data.ts'

/** One dialogue. */
export interface StyleDialogue {
  id: string
  topic: string | undefined
  /** Whose it is, of others; '' where nothing is said. */
  speaker: string
  /** Of the roles system, user and assistant; the style is the assistant's. */
  messages: readonly { role: 'system' | 'user' | 'assistant'; content: string }[]
}

/** All that the task is made of. */
export interface StyleData {
  test: readonly StyleDialogue[]
  /** Empty where there is no such file: then the other dialogues of the test take their place. */
  cases: readonly StyleDialogue[]
  /** Turns of others, by who says them. */
  others: readonly (readonly string[])[]
}

const HOLDS =
  'a folder with test.jsonl, dialogues as messages of user and assistant, and, where there are, cases.jsonl and others.jsonl'
const ROLES: Readonly<Record<string, 'system' | 'user' | 'assistant'>> = {
  system: 'system',
  user: 'user',
  client: 'user',
  assistant: 'assistant',
  counselor: 'assistant',
  counsellor: 'assistant',
}

/** Reads `test`, `cases` and `others` (.jsonl, .json, .parquet). InputError names file and row. */
export async function readStyleData(data: string | undefined): Promise<StyleData> {
  const path = partOf(needData(data, 'style', HOLDS), 'style')
  const read = async (name: string): Promise<StyleDialogue[]> => {
    const files = filesNamed(path, new RegExp(`(?:^|[/\\\\])${name}\\.(?:jsonl|ndjson|json|parquet)$`))
    const found = (await Promise.all(files.map(dialoguesOf))).flat()
    const ids = new Set<string>()
    for (const { id } of found) {
      if (ids.has(id)) throw new InputError(`task style: ${files[0]}: expected an id once, got ${brief(id)} twice`)
      ids.add(id)
    }
    return found
  }
  const test = await read('test')
  if (test.length === 0) throw new InputError(`task style: ${path}: expected ${HOLDS}, got no test.jsonl`)
  const others = new Map<string, string[]>()
  for (const dialogue of await read('others'))
    others.set(dialogue.speaker, [...(others.get(dialogue.speaker) ?? []), ...turnsOf(dialogue)])
  return { test, cases: await read('cases'), others: [...others.values()] }
}

/** What the assistant says. */
export const turnsOf = ({ messages }: StyleDialogue): string[] =>
  messages.filter(({ role }) => role === 'assistant').map(({ content }) => content)

async function dialoguesOf(file: string): Promise<StyleDialogue[]> {
  return (await rowsOf(file)).map((row, i) => {
    const where = `task style: ${file}, row ${i}`
    if (!Array.isArray(row.messages)) throw new InputError(`${where}: expected messages, got ${brief(row.messages)}`)
    const messages = (row.messages as ChatMessage[]).map(({ role, content }) => {
      const known = ROLES[String(role).toLowerCase()]
      if (known === undefined || typeof content !== 'string')
        throw new InputError(
          `${where}: expected messages of ${Object.keys(ROLES).join(', ')} with texts, got ${brief({ role, content })}`,
        )
      return { role: known, content }
    })
    if (!messages.some(({ role, content }) => role === 'assistant' && content.trim() !== ''))
      throw new InputError(`${where}: expected a turn of the assistant, got none`)
    const topic = textIn(row, ['topic', 'normalizedTag'])
    return {
      id: String(row.id ?? i),
      topic,
      speaker: textIn(row, ['speaker', 'counsellor', 'counselor']) ?? '',
      messages,
    }
  })
}

const textIn = (row: Doc, names: readonly string[]): string | undefined =>
  names.map((name) => row[name]).find((value): value is string => typeof value === 'string' && value !== '')
