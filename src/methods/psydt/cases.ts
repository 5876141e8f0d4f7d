// Real cases of one counsellor, from files in any shape that the toolkit reads, by what they are about.

import { basename } from 'node:path'
import { isNamedText } from '../../data/read/files.ts'
import { type RowOptions, readRows, type SourceRow } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { firstDouble, isMessage, readLines, readMessages, type Turn } from './turns.ts'

/** A real dialogue. */
export interface Case {
  readonly id: string
  readonly topic: string
  readonly turns: readonly Turn[]
}

/** How cases are read. */
export interface CaseOptions {
  /** Where the topic stands: `row`, the field `topic` (or `normalizedTag`), or a first line `Topic: …`; `file`, the file's name up to its first full stop. Default `row`. */
  topicFrom?: 'row' | 'file'
  /** Joins messages that one of them sends in a row, by line ends. Default false: an InputError. */
  joinTurns?: boolean
  onNotice?: (message: string) => void
}

const OPTIONS: Readonly<Record<keyof CaseOptions, true>> = { topicFrom: true, joinTurns: true, onNotice: true }

/** Topics as they are compared: case, width, hyphens and white space aside. */
export const plainTopic = (topic: string): string =>
  topic
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_-]+/g, ' ')
    .trim()

/** Cases by topic. */
export class CaseStore {
  readonly cases: readonly Case[]
  readonly #byTopic = new Map<string, Case[]>()

  /** InputError where there is none, or two have one id. */
  constructor(cases: readonly Case[]) {
    if (cases.length === 0) throw new InputError('cases: expected at least one, got none')
    const ids = new Set<string>()
    for (const one of cases) {
      if (ids.has(one.id)) throw new InputError(`case ${one.id}: expected an id of its own, got it twice`)
      ids.add(one.id)
      const topic = plainTopic(one.topic)
      const same = this.#byTopic.get(topic)
      if (same === undefined) this.#byTopic.set(topic, [one])
      else same.push(one)
    }
    this.cases = cases
  }

  /** The topics as they are compared, in the order of the cases. */
  get topics(): readonly string[] {
    return [...this.#byTopic.keys()]
  }

  /** The cases of a topic, in their order; none where there is none. */
  of(topic: string): readonly Case[] {
    return this.#byTopic.get(plainTopic(topic)) ?? []
  }
}

/**
 * Reads cases from files and folders: rows with `messages`, `conversations` or `text`, text files of one case each, lists of messages.
 * InputError, with file and line, at a case without turns or topic, or one in which somebody speaks twice in a row.
 *
 * @example
 * const cases = await readCases(['cases/'])
 * cases.topics // ['grief', 'work', …]
 */
export async function readCases(paths: string | readonly string[], options: CaseOptions = {}): Promise<CaseStore> {
  checkOptionNames('readCases', options, OPTIONS)
  const { topicFrom = 'row', onNotice } = options
  if (!['row', 'file'].includes(topicFrom))
    throw new UsageError(`topicFrom: expected row or file, got ${JSON.stringify(topicFrom)}`)
  const rows: RowOptions = { maxBadFraction: 0, ...(onNotice !== undefined && { onNotice }) }
  const cases: Case[] = []
  let messages: SourceRow[] = []
  const endList = (): void => {
    if (messages.length === 0) return
    const [{ id }] = messages as [SourceRow]
    cases.push(caseOf({ row: { messages: messages.map(({ row }) => row) }, id }, options))
    messages = []
  }
  for await (const row of readRows(paths, rows)) {
    if (messages.length > 0 && messages[0]!.id.file !== row.id.file) endList()
    if (isMessage(row.row)) messages.push(row)
    else cases.push(caseOf(row, options))
  }
  endList()
  return new CaseStore(cases)
}

const LISTS = ['messages', 'conversations', 'conversation', 'dialogue', 'dialog']
const TOPICS = ['topic', 'normalizedTag']
const TOPIC_LINE = /^[\s*#]*(?:topic|主题|话题)\s*[:：]\s*(.+)$/iu

function caseOf({ row, id: at }: SourceRow, options: CaseOptions): Case {
  const { topicFrom = 'row', joinTurns = false } = options
  const fields = typeof row === 'string' ? { text: row } : row
  const place = `${at.file}:${at.line}`
  const read = turnsIn(fields, at)
  if (read.turns.length < 2)
    throw new InputError(
      `case in ${place}: expected turns of a client and a counsellor, got ${read.turns.length === 0 ? 'none' : 'one'}. Write lines such as 'Client: …' and 'Counsellor: …', or a list of messages`,
    )
  const empty = read.turns.findIndex(({ text }) => text === '')
  if (empty !== -1)
    throw new InputError(`case in ${read.placeOf(empty)}: expected a text of ${read.turns[empty]!.speaker}, got none`)
  const double = firstDouble(read.turns)
  if (double !== undefined && !joinTurns)
    throw new InputError(
      `case in ${read.placeOf(double)}: expected client and counsellor in turns, got the ${read.turns[double]!.speaker} twice in a row. Join these turns, or set joinTurns (join_turns in a configuration)`,
    )
  const named = topicFrom === 'file' ? basename(at.file).split('.')[0] : (field(fields, TOPICS) ?? read.topic)
  if (named === undefined || named.trim() === '')
    throw new InputError(
      `case in ${place}: expected a topic, got none. Give the row a field 'topic', or the text a first line 'Topic: …'`,
    )
  return {
    id: field(fields, ['id']) ?? `${basename(at.file)}:${at.line}`,
    topic: named.trim(),
    turns: joinTurns ? joined(read.turns) : read.turns,
  }
}

interface ReadTurns {
  turns: readonly Turn[]
  topic?: string | undefined
  placeOf(turn: number): string
}

function turnsIn(fields: Readonly<Record<string, unknown>>, { file, line }: SourceRow['id']): ReadTurns {
  const name = LISTS.find((key) => (fields[key] ?? undefined) !== undefined)
  const value = fields[name ?? 'text']
  const list = typeof value === 'string' && /^\s*\[/.test(value) ? jsonList(value) : value
  const place = `${file}:${line}`
  if (Array.isArray(list)) {
    const at = `${place}, field '${name ?? 'text'}'`
    const turns = readMessages(list, at)
    // What instructs stands before them and is none of them.
    const offset = list.length - turns.length
    return { turns, placeOf: (turn) => `${at}[${turn + offset}]` }
  }
  if (typeof list !== 'string')
    throw new InputError(
      `case in ${place}: expected 'messages', 'conversations' or 'text', got fields ${Object.keys(fields).slice(0, 20).join(', ') || 'none'}`,
    )
  const { turns, lines, head } = readLines(list)
  const topics = head.flatMap((text) => TOPIC_LINE.exec(text)?.[1] ?? [])
  const spare = head.find((text) => !TOPIC_LINE.test(text))
  if (spare !== undefined && turns.length > 0)
    throw new InputError(
      `case in ${place}: expected 'Client:' or 'Counsellor:' before the first turn's text, got ${JSON.stringify(spare.slice(0, 60))}`,
    )
  // Only of a text file are the lines of the text those of the file.
  const placeOf = (turn: number): string =>
    isNamedText(file) ? `${file}:${line + lines[turn]!}` : `${place}, line ${lines[turn]! + 1} of the text`
  return { turns, topic: topics[0], placeOf }
}

function jsonList(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The first of these fields that holds a text or a number. */
export function field(fields: Readonly<Record<string, unknown>>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'number' || typeof value === 'bigint') return String(value)
    if (typeof value === 'string' && value.trim() !== '') return value.trim()
  }
  return undefined
}

function joined(turns: readonly Turn[]): Turn[] {
  const made: Turn[] = []
  for (const turn of turns) {
    const before = made.at(-1)
    if (before?.speaker === turn.speaker) made[made.length - 1] = { ...before, text: `${before.text}\n${turn.text}` }
    else made.push(turn)
  }
  return made
}
