// Supervised rows in the shapes that people have → Example. The shape is told from the names of the fields alone,
// so a data set needs no registration.

import type { SourceRow } from '../read/sources.ts'
import type { Example, Message, Turns } from './conversation.ts'
import { readMessages, readTools, readTurns, wrong } from './messages.ts'
import { describeShape, renamed, SHAPES, type Shape, shapeOf, unknownShape } from './shapes.ts'

/** How rows are read as examples. */
export interface ExampleOptions {
  /** Reads every row as this shape instead of guessing. */
  shape?: Shape
  /** Our field name → the name in the data, such as `{ prompt: 'question' }`. */
  columns?: Readonly<Record<string, string>>
}

/** Reads one row. Throws InputError with row, field, value and what would be accepted. */
export function readExample({ row, id }: SourceRow, options: ExampleOptions = {}): Example {
  const place = `${id.file}:${id.line}`
  const fields = renamed(row, options.columns)
  const shape = options.shape ?? shapeOf(fields)
  if (shape === undefined) throw unknownShape(place, fields)
  const missing = SHAPES[shape].find((name) => fields[name] === undefined || fields[name] === null)
  if (missing !== undefined)
    throw wrong(`${place}, field '${missing}'`, `a value, as in ${describeShape(shape)}`, fields[missing])
  const example = READERS[shape](new Row(fields, place))
  const tools = readTools(fields.tools, `${place}, field 'tools'`)
  return tools === undefined || example.kind === 'text' ? example : { ...example, tools }
}

type Fields = Record<string, unknown>

/** A row's fields, read with errors that say where. */
class Row {
  private readonly fields: Fields
  private readonly place: string

  constructor(fields: Fields, place: string) {
    this.fields = fields
    this.place = place
  }

  text(name: string): string {
    const value = this.fields[name]
    if (typeof value !== 'string') throw wrong(this.at(name), 'a string', value)
    return value
  }

  optional(name: string): string {
    const value = this.fields[name]
    return value === undefined || value === null ? '' : this.text(name)
  }

  turns(name: string): Turns {
    return readTurns(this.fields[name], this.at(name))
  }

  messages(name: string): Message[] {
    return this.withSystem(readMessages(this.fields[name], this.at(name)))
  }

  label(): boolean {
    const value = this.fields.label
    if (value === true || value === 1 || value === 'true') return true
    if (value === false || value === 0 || value === 'false') return false
    throw wrong(this.at('label'), 'true or false', value)
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null
  }

  /** Alpaca's prompt: system, earlier turns, then the instruction with its input below. */
  alpacaPrompt(): Message[] {
    const history = this.fields.history ?? []
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
    const content = [this.text('instruction'), this.optional('input')].filter((part) => part !== '').join('\n')
    return this.withSystem([...messages, { role: 'user', content }])
  }

  at(name: string): string {
    return `${this.place}, field '${name}'`
  }

  private withSystem(messages: Message[]): Message[] {
    const system = this.optional('system')
    return system === '' || messages[0]?.role === 'system'
      ? messages
      : [{ role: 'system', content: system }, ...messages]
  }
}

const READERS: Readonly<Record<Shape, (row: Row) => Example>> = {
  'preference-messages': (row) => implicit(row.messages('chosen_messages'), row.messages('rejected_messages'), row),
  'sharegpt-preference': (row) => explicit(row, row.messages('conversations')),
  'messages-preference': (row) => explicit(row, row.messages('messages')),
  'alpaca-preference': (row) => explicit(row, row.alpacaPrompt()),
  preference: (row) =>
    row.has('prompt') ? explicit(row, row.turns('prompt')) : implicit(row.turns('chosen'), row.turns('rejected'), row),
  'sharegpt-labelled': (row) => labelled(row.messages('conversations'), row, 'conversations'),
  'messages-labelled': (row) => labelled(row.messages('messages'), row, 'messages'),
  'alpaca-labelled': (row) => ({
    kind: 'labelled',
    prompt: row.alpacaPrompt(),
    completion: answer(row.text('output')),
    label: row.label(),
  }),
  labelled: (row) => ({ kind: 'labelled', ...sameForm(row, 'completion'), label: row.label() }),
  messages: (row) => conversation(row.messages('messages'), row.at('messages')),
  sharegpt: (row) => conversation(row.messages('conversations'), row.at('conversations')),
  alpaca: (row) => ({ kind: 'conversation', messages: [...row.alpacaPrompt(), ...answer(row.text('output'))] }),
  'prompt-completion': (row) => ({ kind: 'prompt-completion', ...sameForm(row, 'completion') }),
  prompt: (row) => ({ kind: 'prompt', prompt: row.turns('prompt') }),
  text: (row) => ({ kind: 'text', text: row.text('text') }),
}

function answer(content: string): Message[] {
  return [{ role: 'assistant', content }]
}

/** An answer to a chat is a turn, also where it is written as a string. */
function inFormOf(prompt: Turns, value: Turns): Turns {
  return typeof prompt !== 'string' && typeof value === 'string' ? answer(value) : value
}

function sameForm(row: Row, name: string): { prompt: Turns; completion: Turns } {
  const prompt = row.turns('prompt')
  const completion = inFormOf(prompt, row.turns(name))
  if (typeof prompt !== typeof completion) throw wrong(row.at(name), 'a string, as the prompt is', completion)
  return { prompt, completion }
}

function conversation(messages: Message[], place: string): Example {
  if (messages.some(({ role }) => role === 'assistant')) return { kind: 'conversation', messages }
  throw wrong(
    place,
    'at least one turn of the assistant to learn from',
    messages.map(({ role }) => role),
  )
}

function labelled(messages: Message[], row: Row, name: string): Example {
  const last = messages.at(-1)!
  if (last.role !== 'assistant') throw wrong(row.at(name), 'a last turn of the assistant', last.role)
  return { kind: 'labelled', prompt: messages.slice(0, -1), completion: [last], label: row.label() }
}

function explicit(row: Row, prompt: Turns): Example {
  const chosen = inFormOf(prompt, row.turns('chosen'))
  const rejected = inFormOf(prompt, row.turns('rejected'))
  // Some sets repeat the prompt in front of both answers.
  if (typeof prompt !== 'string' && typeof chosen !== 'string' && typeof rejected !== 'string') {
    const repeats = [chosen, rejected].every((answers) => commonTurns(prompt, answers) === prompt.length)
    if (repeats)
      return {
        kind: 'preference',
        prompt,
        chosen: chosen.slice(prompt.length),
        rejected: rejected.slice(prompt.length),
      }
  }
  if (typeof chosen !== typeof prompt) throw wrong(row.at('chosen'), 'a string, as the prompt is', chosen)
  if (typeof rejected !== typeof prompt) throw wrong(row.at('rejected'), 'a string, as the prompt is', rejected)
  return { kind: 'preference', prompt, chosen, rejected }
}

/** Splits off the prompt that both answers begin with. */
function implicit(chosen: Turns, rejected: Turns, row: Row): Example {
  if (typeof chosen === 'string' && typeof rejected === 'string') {
    let length = 0
    while (length < chosen.length && chosen[length] === rejected[length]) length++
    // TRL's rule: the space before the answers belongs to them.
    if (chosen[length - 1] === ' ') length--
    return {
      kind: 'preference',
      prompt: chosen.slice(0, length),
      chosen: chosen.slice(length),
      rejected: rejected.slice(length),
    }
  }
  if (typeof chosen === 'string' || typeof rejected === 'string') {
    throw wrong(row.at('rejected'), 'the same form as in chosen: two strings or two lists of messages', rejected)
  }
  const common = commonTurns(chosen, rejected)
  if (common === 0) throw wrong(row.at('chosen'), 'turns that chosen and rejected share, or a prompt', chosen)
  if (common === chosen.length || common === rejected.length) {
    throw wrong(row.at('rejected'), 'another answer than in chosen', rejected)
  }
  return {
    kind: 'preference',
    prompt: chosen.slice(0, common),
    chosen: chosen.slice(common),
    rejected: rejected.slice(common),
  }
}

function commonTurns(a: Message[], b: Message[]): number {
  const differs = a.findIndex((message, i) => JSON.stringify(message) !== JSON.stringify(b[i]))
  return differs === -1 ? a.length : differs
}
