// The fields of one row as its shape names them, read with errors that say where. It keeps account of what was read, so that a text
// which nobody reads does not vanish without a word.

import type { Message, Turns } from './conversation.ts'
import { hasAnswer, type Place, readMessages, readTurns, wrong } from './messages.ts'
import type { Filled } from './shapes.ts'
import { notesOnTurns, type PartialWeight } from './turn-notes.ts'

type Fields = Readonly<Record<string, unknown>>

/** A row being read. Roles are the fields of its shape, such as `output`, whatever the column is called. */
export class Row {
  private readonly fields: Fields
  private readonly roles: Filled
  private readonly place: Place
  private readonly nameOf: (field: string) => string
  private readonly unreadOfTurns = new Set<string>()
  private readonly otherNames = new Set<string>()
  private readonly weights: PartialWeight[] = []
  /** Where the first empty answer is. */
  emptyAnswer: Place | undefined

  constructor(fields: Fields, roles: Filled, place: Place, nameOf: (field: string) => string) {
    this.fields = fields
    this.roles = roles
    this.place = place
    this.nameOf = nameOf
  }

  at(role: string): Place {
    return `${this.place}, field '${this.nameOf(this.roles[role] ?? role)}'`
  }

  has(role: string): boolean {
    const value = this.value(role)
    return value !== undefined && value !== null
  }

  value(role: string): unknown {
    const field = this.roles[role]
    return field === undefined ? undefined : this.fields[field]
  }

  text(role: string): string {
    const value = this.value(role)
    if (typeof value !== 'string') throw wrong(this.at(role), 'a string', value)
    return value
  }

  optional(role: string): string {
    return this.has(role) ? this.text(role) : ''
  }

  /** A text to learn; a null or an empty one is noted. */
  plainText(role: string): string {
    const text = this.optional(role)
    if (text.trim() === '') this.emptyAnswer ??= this.at(role)
    return text
  }

  turns(role: string): Turns {
    const value = this.value(role)
    const turns = readTurns(value, this.at(role))
    if (typeof turns !== 'string') this.note(role, value)
    return turns
  }

  /** What is learnt; a null or an empty one is noted. */
  answer(role: string): Turns {
    const turns = this.has(role) ? this.turns(role) : ''
    const isEmpty =
      typeof turns === 'string'
        ? turns.trim() === ''
        : turns.some(({ role }) => role === 'assistant') && !turns.some(hasAnswer)
    if (isEmpty) this.emptyAnswer ??= this.at(role)
    return turns
  }

  messages(role: string): Message[] {
    const value = this.value(role)
    const messages = readMessages(value, this.at(role))
    this.note(role, value)
    return this.withSystem(messages)
  }

  /** The prompt with the row's system message, which makes a chat of a text. */
  prompt(role: string): Turns {
    const turns = this.turns(role)
    if (this.optional('system') === '') return turns
    return this.withSystem(typeof turns === 'string' ? [{ role: 'user', content: turns }] : turns)
  }

  /** Alpaca's prompt: system, earlier turns, then the instruction with its input below. */
  alpacaPrompt(): Message[] {
    const history = this.value('history') ?? []
    if (!Array.isArray(history)) throw wrong(this.at('history'), 'a list of [question, answer]', history)
    const messages = history.flatMap((pair, i): Message[] => {
      if (!Array.isArray(pair) || typeof pair[0] !== 'string' || typeof pair[1] !== 'string') {
        throw wrong(`${this.at('history')}[${i}]`, '[question, answer]', pair)
      }
      return [
        { role: 'user', content: pair[0] },
        { role: 'assistant', content: pair[1] },
      ]
    })
    const asked = [this.text('instruction'), this.optional('input')]
    const content = asked.filter((part) => part.trim() !== '').join('\n')
    return this.withSystem([...messages, { role: 'user', content }])
  }

  label(): boolean {
    const value = this.value('label')
    if (value === true || value === 1 || value === 'true') return true
    if (value === false || value === 0 || value === 'false') return false
    throw wrong(this.at('label'), 'true or false', value)
  }

  /** The turns after the row's system message, if it has one that they do not begin with. */
  withSystem(messages: Message[]): Message[] {
    const system = this.optional('system')
    if (system === '') return messages
    const first = messages[0]
    if (first?.role !== 'system') return [{ role: 'system', content: system }, ...messages]
    if (first.content.trim() === system.trim()) return messages
    throw wrong(this.at('system'), 'the system message that the turns begin with, or none', system)
  }

  private note(role: string, value: unknown): void {
    const { unreadKeys, otherNames, partialWeights } = notesOnTurns(value)
    for (const key of unreadKeys) this.unreadOfTurns.add(`${this.nameOf(this.roles[role] ?? role)}[].${key}`)
    for (const name of otherNames) this.otherNames.add(name)
    for (const { at, weight } of partialWeights) this.weights.push({ at: `${this.at(role)}${at}`, weight })
  }

  /** Names of roles that belong to no format, such as `chatgpt`. */
  otherRoleNames(): string[] {
    return [...this.otherNames]
  }

  /** Weights of turns that count as 1, with their places. */
  partialWeights(): readonly PartialWeight[] {
    return this.weights
  }

  /** Keys of turns that were not read, such as `messages[].id`. */
  unreadTurnKeys(): string[] {
    return [...this.unreadOfTurns]
  }

  /** Columns that no role was filled from. */
  unread(): string[] {
    const read = Object.values(this.roles)
    return Object.keys(this.fields).filter(
      (field) => field !== 'tools' && !read.includes(field) && this.fields[field] !== null,
    )
  }
}
