// A prompt as a template whose values are data: the author's words and those of others stay apart until the text is made, and values
// that nobody gave are errors, not the word "undefined".

import { UsageError } from '../../errors.ts'
import { nearest } from '../../nearest.ts'
import type { ChatMessage } from '../../text/chat-template.ts'

/** What may stand in a template. */
export type PromptValue = string | number | bigint | boolean | PromptText | readonly PromptValue[]

/** A part of a prompt: the author's own words, or a value that was put in. */
export interface PromptPart {
  readonly text: string
  readonly isValue: boolean
}

/** A text with its parts told apart. */
export class PromptText {
  readonly parts: readonly PromptPart[]

  constructor(parts: readonly PromptPart[]) {
    this.parts = parts
  }

  toString(): string {
    return this.parts.map(({ text }) => text).join('')
  }
}

/**
 * A template. Its values may be texts, numbers, other prompts, and lists of them, which stand one a line. UsageError at once for a value
 * that is missing; the type checker finds it before. Indentation and line ends stay as they are written.
 *
 * @example
 * const question = prompt`Answer in one word.\n\n${quote(article)}\n\nWho is it about?`
 */
export function prompt(strings: TemplateStringsArray, ...values: readonly PromptValue[]): PromptText {
  if (!Array.isArray(strings))
    throw new UsageError(
      'prompt: expected to stand before a template, prompt`…`, got a call. A plain text is a question as it is',
    )
  const parts = strings.flatMap((text, i): PromptPart[] => {
    const own = text === '' ? [] : [{ text, isValue: false }]
    return i < values.length ? [...own, ...partsOf(values[i]!, i)] : own
  })
  return new PromptText(parts)
}

function partsOf(value: PromptValue, index: number): readonly PromptPart[] {
  if (value instanceof PromptText) return value.parts
  if (Array.isArray(value))
    return value.flatMap((item: PromptValue, i) => [
      ...(i === 0 ? [] : [{ text: '\n', isValue: false }]),
      ...partsOf(item, index),
    ])
  if (!isWritten(value))
    throw new UsageError(
      `prompt: expected a text, a number or a prompt as value ${index + 1}, got ${kindOf(value)}. For an object, say how it is written, such as JSON.stringify(it)`,
    )
  return [{ text: String(value), isValue: true }]
}

/** Whether a value has one way to be written. */
const isWritten = (value: unknown): boolean => ['string', 'number', 'bigint', 'boolean'].includes(typeof value)

const kindOf = (value: unknown): string =>
  value === undefined
    ? 'nothing'
    : value === null
      ? 'null'
      : Array.isArray(value)
        ? 'a list'
        : value instanceof Promise
          ? 'a promise. Await it'
          : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`

/** How `quote` marks a text that is not the author's. */
export interface QuoteOptions {
  /** What it is, in letters and digits: the name of the marks. Default `text`. */
  name?: string
}

/**
 * A text of somebody else between marks, `<text>` and `</text>`, so that a model can tell where it begins and ends. Marks that the text itself
 * spells lose their first character's meaning: `</text>` becomes `<\/text>`.
 */
export function quote(text: string | number, { name = 'text' }: QuoteOptions = {}): PromptText {
  if (!/^[A-Za-z][\w-]{0,31}$/.test(name))
    throw new UsageError(`quote: expected a name of letters and digits, got ${JSON.stringify(name)}`)
  if (!isWritten(text) && !((text as unknown) instanceof PromptText))
    throw new UsageError(`quote: expected a text, got ${kindOf(text)}`)
  const own = (mark: string): PromptPart => ({ text: mark, isValue: false })
  // What nobody sees may stand in between. One way to match only: a stranger's text must not make this slow.
  const safe = String(text).replaceAll(
    new RegExp(`<([\\s\\p{Cf}]*(?:/[\\s\\p{Cf}]*)?${[...name].join('\\p{Cf}*')}(?!\\p{Cf}*[A-Za-z0-9_]))`, 'giu'),
    '<\\$1',
  )
  return new PromptText([own(`<${name}>\n`), { text: safe, isValue: true }, own(`\n</${name}>`)])
}

/** What a model is asked: a text, a prompt, or a conversation. */
export type PromptInput = string | PromptText | readonly ChatMessage[]

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool']

function conversationOf(input: readonly ChatMessage[]): ChatMessage[] {
  if (Array.isArray(input)) {
    for (const { role } of input as readonly ChatMessage[]) {
      // Templates may have roles of their own; what is nearly one of these is a slip.
      const meant = ROLES.includes(role) ? undefined : nearest(String(role), ROLES)
      if (meant !== undefined)
        throw new UsageError(`role: expected ${ROLES.join(', ')}, got '${role}'. Did you mean '${meant}'?`)
    }
    return input.map((message) => ({ ...message }))
  }
  throw new UsageError(`prompt: expected a text, a prompt or messages, got ${kindOf(input)}`)
}

/** A conversation of what is asked, with an instruction before it. */
export function messagesOf(input: PromptInput, system?: string | PromptText): ChatMessage[] {
  const asked =
    typeof input === 'string' || input instanceof PromptText
      ? [{ role: 'user', content: String(input) }]
      : conversationOf(input)
  if (asked.length === 0) throw new UsageError('prompt: expected at least one message, got none')
  return system === undefined ? asked : [{ role: 'system', content: String(system) }, ...asked]
}
