// A teacher's text as a dialogue: lines, or JSON of rounds or messages.

import { z } from 'zod'
import type { Schema } from '../../prompting/base/schema.ts'
import { Refused } from '../../synth/recipe.ts'
import { isMessage, readLines, readMessages, type Turn } from './turns.ts'

/** What a teacher that can be held is held to: rounds, so that roles alternate whatever it writes. */
export interface WrittenDialogue {
  readonly dialogue: readonly { readonly client: string; readonly counsellor: string }[]
}

/** The schema of so many rounds. */
export const dialogueSchema: (turns: readonly [number, number]) => Schema<WrittenDialogue> = ([least, most]) =>
  z.object({
    dialogue: z
      .array(z.object({ client: z.string().min(1), counsellor: z.string().min(1) }))
      .min(least)
      .max(most),
  })

/** The turns of rounds. */
export const turnsOfRounds = ({ dialogue }: WrittenDialogue): Turn[] =>
  dialogue.flatMap(({ client, counsellor }): Turn[] => [
    { speaker: 'client', text: client.trim() },
    { speaker: 'counsellor', text: counsellor.trim() },
  ])

/** Reads lines of turns, JSON of rounds, or a list of messages, between fences or not. Refused where it is none of these. */
export function readDialogue(text: string): Turn[] {
  const plain = text.replace(/^\s*```\w*\s*\n([\s\S]*?)\n?```\s*$/, '$1').trim()
  if (/^[[{]/.test(plain)) return turnsOfJson(plain)
  const { turns, head } = readLines(plain)
  if (turns.length > 0 && head.length > 0)
    throw new Refused(`text before the first turn: ${JSON.stringify(head[0]!.slice(0, 40))}`, text)
  return [...turns]
}

function turnsOfJson(text: string): Turn[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Refused(`no JSON: ${(error as Error).message}`, text)
  }
  // A dialogue is three levels; what is far deeper cannot even be told.
  if (/(?:[[{]\s*){50}/.test(text)) throw new Refused('JSON of more levels than a dialogue has', text)
  const found = Array.isArray(value) ? value : listIn(value)
  if (found === undefined) throw new Refused('JSON without a list of turns', text)
  if (found.length > 0 && found.every(isMessage)) {
    try {
      return readMessages(found, 'messages')
    } catch (error) {
      throw new Refused((error as Error).message, text)
    }
  }
  return found.flatMap((round, i) => turnsOfRound(round, i, text))
}

const listIn = (value: unknown): unknown[] | undefined =>
  Object.values(value as Record<string, unknown>).find((inner): inner is unknown[] => Array.isArray(inner))

const CLIENT = ['client', '来访者']
const COUNSELLOR = ['counsellor', 'counselor', '咨询师']

/** The turns of an entry, in the order of its fields. */
function turnsOfRound(round: unknown, i: number, text: string): Turn[] {
  const entries = typeof round === 'object' && round !== null ? Object.entries(round) : []
  const turns = entries.map(([name, said]): Turn | undefined => {
    const speaker = CLIENT.includes(name) ? 'client' : COUNSELLOR.includes(name) ? 'counsellor' : undefined
    return speaker === undefined || typeof said !== 'string' ? undefined : { speaker, text: said.trim() }
  })
  if (turns.length === 0 || turns.includes(undefined))
    throw new Refused(`an entry ${i + 1} that is no turn: ${JSON.stringify(round)?.slice(0, 60)}`, text)
  return turns as Turn[]
}
