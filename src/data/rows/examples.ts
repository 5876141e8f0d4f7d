// Supervised rows in the shapes that people have → Example. The shape is told from the names of the fields alone,
// so a data set needs no registration.

import { InputError } from '../../errors.ts'
import type { SourceRow } from '../read/sources.ts'
import type { Example, Message, Turns } from './conversation.ts'
import { hasAnswer, readTools, wrong } from './messages.ts'
import { pairFrom, pairWithoutPrompt, pairWithPrompt } from './pairs.ts'
import { Row } from './row.ts'
import {
  type Columns,
  describeShape,
  filled,
  filledWithOptional,
  type Purpose,
  renamed,
  SHAPES,
  type Shape,
  shapeOf,
  unknownShape,
} from './shapes.ts'
import type { PartialWeight } from './turn-notes.ts'
import { unusedTexts } from './unused-texts.ts'

/** How rows are read as examples. */
export interface ExampleOptions {
  /** What the rows are for, which decides the shapes that are possible. Default: any. */
  purpose?: Purpose
  /** Reads every row as this shape instead of guessing. */
  shape?: Shape
  /** Our field name → the name in the data, such as `{ prompt: 'question' }`; null for a column that is not to be read. */
  columns?: Columns
}

/** A row, read: `example` is absent where it has nothing but empty answers. */
export interface ReadRow {
  shape: Shape
  example: Example | undefined
  /** Where its first empty answer is, such as `data.jsonl:7, field 'output'`. */
  emptyAnswer: string | undefined
  /** Columns that were not read, and keys of turns, such as `messages[].id`. */
  unread: readonly string[]
  /** Names of roles that belong to no format, such as `chatgpt`. */
  otherRoleNames: readonly string[]
  /** Weights of turns that count as 1, with their places. */
  partialWeights: readonly PartialWeight[]
}

/** Reads one row. Throws InputError with row, field, value and what would be accepted; an empty answer is such a value. */
export function readExample(source: SourceRow, options: ExampleOptions = {}): Example {
  const { example, emptyAnswer } = readRow(source, options)
  if (example !== undefined) return example
  throw new InputError(`${emptyAnswer}: expected an answer, got an empty one. Remove the row, or give it an answer`)
}

/** Reads one row; an answer that is null or empty is told, not thrown. */
export function readRow({ row, id }: SourceRow, options: ExampleOptions = {}): ReadRow {
  const place = `${id.file}:${id.line}`
  const { fields, nameOf } = renamed(row, options.columns)
  const shape = options.shape ?? shapeOf(fields, options.purpose)
  if (shape === undefined) throw unknownShape(place, fields, options.purpose)
  if (filled(fields, shape, true) === undefined) {
    const names = SHAPES[shape].fields.map((all) => all.split('|'))
    const missing = names.find((all) => !all.some((name) => Object.hasOwn(fields, name)))![0]!
    throw wrong(`${place}, field '${nameOf(missing)}'`, `a value, as in ${describeShape(shape)}`, fields[missing])
  }
  const reading = new Row(fields, filledWithOptional(fields, shape), place, nameOf)
  const read = READERS[shape](reading)
  const tools = readTools(fields.tools, `${place}, field 'tools'`)
  const example = tools === undefined || read.kind === 'text' ? read : { ...read, tools }
  const unread = reading.unread()
  const lost = unusedTexts(example, unread, fields, SHAPES[shape].for)
  if (lost.length > 0) {
    const names = lost.map((field) => `'${nameOf(field)}'`).join(' and ')
    const advised = placeFor(nameOf(lost[0]!), shape, fields, nameOf)
    throw new InputError(
      `row in ${place}: expected text in the fields of ${describeShape(shape)} only, got ${names} besides, which nobody would read. ` +
        `${advised === undefined ? 'Leave' : `Say what ${lost.length === 1 ? 'it is' : 'they are'}, for example columns: {${advised}}, or leave`} out with columns: {${lost[0]}: null}`,
    )
  }
  return {
    shape,
    example: isEmpty(example, reading) ? undefined : example,
    emptyAnswer: reading.emptyAnswer,
    unread: [...unread, ...reading.unreadTurnKeys()],
    otherRoleNames: reading.otherRoleNames(),
    partialWeights: reading.partialWeights(),
  }
}

/** The columns that read the text `column` below what is asked; undefined where the shape has no place for it. */
function placeFor(
  column: string,
  shape: Shape,
  fields: Readonly<Record<string, unknown>>,
  nameOf: (field: string) => string,
): string | undefined {
  if (SHAPES[shape].optional.some((names) => names.startsWith('input|')))
    return Object.hasOwn(filledWithOptional(fields, shape), 'input') ? undefined : `input: ${column}`
  if (typeof fields.prompt !== 'string') return undefined
  const answer = typeof fields.completion === 'string' ? `, output: ${nameOf('completion')}` : ''
  return `instruction: ${nameOf('prompt')}${answer}, input: ${column}`
}

const READERS: Readonly<Record<Shape, (row: Row) => Example>> = {
  'preference-messages': (row) => pairFrom(row, row.messages('chosen_messages'), row.messages('rejected_messages')),
  'sharegpt-preference': (row) => pairWithPrompt(row, row.messages('conversations'), 'conversations'),
  'messages-preference': (row) => pairWithPrompt(row, row.messages('messages'), 'messages'),
  'alpaca-preference': (row) => pairWithPrompt(row, row.alpacaPrompt(), 'instruction'),
  preference: (row) =>
    row.has('prompt') ? pairWithPrompt(row, row.prompt('prompt'), 'prompt') : pairWithoutPrompt(row),
  'sharegpt-labelled': (row) => labelled(row.messages('conversations'), row, 'conversations'),
  'messages-labelled': (row) => labelled(row.messages('messages'), row, 'messages'),
  'alpaca-labelled': (row) => ({
    kind: 'labelled',
    prompt: row.alpacaPrompt(),
    completion: answerTo([], row.answer('output')) as Message[],
    label: row.label(),
  }),
  labelled: (row) => ({ kind: 'labelled', ...completed(row), label: row.label() }),
  messages: (row) => conversation(row.messages('messages'), row, 'messages'),
  sharegpt: (row) => conversation(row.messages('conversations'), row, 'conversations'),
  alpaca: (row) => {
    const answer = row.has('output') ? row.text('output') : ''
    return conversation([...row.alpacaPrompt(), { role: 'assistant', content: answer }], row, 'output')
  },
  'prompt-completion': (row) => ({ kind: 'prompt-completion', ...completed(row) }),
  prompt: (row) => ({ kind: 'prompt', prompt: row.turns('prompt') }),
  text: (row) => ({ kind: 'text', text: row.plainText('text') }),
}

/** An answer to a chat is a turn, also where it is written as a string. */
function answerTo(prompt: Turns, answer: Turns): Turns {
  return typeof prompt !== 'string' && typeof answer === 'string' ? [{ role: 'assistant', content: answer }] : answer
}

function completed(row: Row): { prompt: Turns; completion: Turns } {
  const prompt = row.prompt('prompt')
  const completion = answerTo(prompt, row.answer('completion'))
  if (typeof prompt !== typeof completion) throw wrong(row.at('completion'), 'a string, as the prompt is', completion)
  return { prompt, completion }
}

/** A chat; empty turns of the assistant are not learnt from, and noted. */
function conversation(messages: Message[], row: Row, role: string): Example {
  if (!messages.some((message) => message.role === 'assistant')) {
    throw wrong(
      row.at(role),
      'at least one turn of the assistant to learn from',
      messages.map((message) => message.role),
    )
  }
  const kept = messages.map((message, i): Message => {
    if (message.role !== 'assistant' || hasAnswer(message)) return message
    row.emptyAnswer ??= role === 'output' ? row.at(role) : `${row.at(role)}[${i}]`
    return { ...message, isTrained: false }
  })
  return { kind: 'conversation', messages: kept }
}

function labelled(messages: Message[], row: Row, name: string): Example {
  const last = messages.at(-1)!
  if (last.role !== 'assistant') throw wrong(row.at(name), 'a last turn of the assistant', last.role)
  return { kind: 'labelled', prompt: messages.slice(0, -1), completion: [last], label: row.label() }
}

/** Whether nothing is left to learn: of a pair both answers are needed, of a chat one. */
function isEmpty(example: Example, row: Row): boolean {
  if (row.emptyAnswer === undefined) return false
  return example.kind !== 'conversation' || !example.messages.some(hasAnswer)
}
