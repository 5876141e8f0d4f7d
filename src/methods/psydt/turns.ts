// A dialogue between a client and a counsellor as turns, and the ways in which files and teachers write one: lines that begin with who
// speaks, lists of messages, JSON of rounds.

import { InputError } from '../../errors.ts'

/** Who speaks. */
export type Speaker = 'client' | 'counsellor'

/** What one of them says until the other one does. */
export interface Turn {
  readonly speaker: Speaker
  readonly text: string
}

/** The languages that there are wordings for. */
export type Language = 'zh' | 'en'

/** How the two are called where a dialogue is written out. */
export const SPEAKERS: Readonly<Record<Language, Readonly<Record<Speaker, string>>>> = {
  zh: { client: '来访者', counsellor: '咨询师' },
  en: { client: 'Client', counsellor: 'Counsellor' },
}

/** What they are called in data, in small letters. */
const NAMES: Readonly<Record<Speaker, readonly string[]>> = {
  client: ['client', 'patient', 'seeker', 'user', 'human', '来访者', '来访', '求助者', '咨客', '用户'],
  counsellor: [
    ...['counsellor', 'counselor', 'therapist', 'psychologist', 'supporter', 'assistant', 'gpt'],
    ...['咨询师', '心理咨询师', '治疗师', '倾听者', '支持者', '助手'],
  ],
}
const SPEAKER_OF: ReadonlyMap<string, Speaker> = new Map(
  (Object.keys(NAMES) as Speaker[]).flatMap((speaker) => NAMES[speaker].map((name) => [name, speaker] as const)),
)
/** A line that begins with who speaks, in bold or not. */
const MARKED = new RegExp(`^[\\s*_>#-]*(${[...SPEAKER_OF.keys()].join('|')})[\\s*_]*[:：][*_]*\\s*(.*)$`, 'iu')

/** Turns, and the line on which each begins, from 0; `head` are the lines before the first one that are not blank. */
export interface WrittenTurns {
  readonly turns: readonly Turn[]
  readonly lines: readonly number[]
  readonly head: readonly string[]
}

/** Reads lines such as `Client: …` and `咨询师：…`. A line without a name goes on with the turn before it. */
export function readLines(text: string): WrittenTurns {
  const turns: { speaker: Speaker; parts: string[] }[] = []
  const lines: number[] = []
  const head: string[] = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const marked = MARKED.exec(line)
    if (marked !== null) {
      turns.push({ speaker: SPEAKER_OF.get(marked[1]!.toLowerCase())!, parts: [marked[2]!] })
      lines.push(i)
    } else if (turns.length > 0) turns.at(-1)!.parts.push(line)
    else if (line.trim() !== '') head.push(line.trim())
  }
  return { turns: turns.map(({ speaker, parts }) => ({ speaker, text: tidy(parts.join('\n')) })), lines, head }
}

const tidy = (text: string): string => text.trim().replace(/\n\s*\n+/g, '\n')

type Fields = Readonly<Record<string, unknown>>
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Who speaks in a message of any of the field's shapes: `role`, `from` or `speaker`. */
const roleOf = (message: Fields): unknown => message.role ?? message.from ?? message.speaker
const contentOf = (message: Fields): unknown => message.content ?? message.value ?? message.text

/** Whether a value is one message of a list of them. */
export function isMessage(value: unknown): value is Fields {
  return isFields(value) && typeof roleOf(value) === 'string' && typeof contentOf(value) === 'string'
}

/** Reads a list of messages. What instructs (`system`) is no turn. InputError, with the place, at one that nobody of the two says. */
export function readMessages(list: readonly unknown[], place: string): Turn[] {
  return list.flatMap((message, i): Turn[] => {
    const at = `${place}[${i}]`
    if (!isMessage(message))
      throw new InputError(`${at}: expected {role, content}, got ${JSON.stringify(message)?.slice(0, 80)}`)
    const role = String(roleOf(message)).trim().toLowerCase()
    if (role === 'system') return []
    const speaker = SPEAKER_OF.get(role)
    if (speaker === undefined)
      throw new InputError(
        `${at}: expected the role of a client or a counsellor, got ${JSON.stringify(role)}. Known are ${[...SPEAKER_OF.keys()].join(', ')}`,
      )
    return [{ speaker, text: tidy(String(contentOf(message))) }]
  })
}

/** The first turn whose speaker spoke before it, too; undefined where they alternate. */
export function firstDouble(turns: readonly Turn[]): number | undefined {
  const found = turns.findIndex(({ speaker }, i) => i > 0 && speaker === turns[i - 1]!.speaker)
  return found === -1 ? undefined : found
}

/** Turns as lines, each with its speaker's name. */
export function writeLines(turns: readonly Turn[], language: Language): string {
  const mark = language === 'zh' ? '：' : ': '
  return turns.map(({ speaker, text }) => `${SPEAKERS[language][speaker]}${mark}${text}`).join('\n')
}
