// A question and its answer as the model reads them in its chat template, with the places of the question's words and of the answer. Where
// something stands is told by the template's spans, never by a count of tokens: templates and start tokens differ.
import { IGNORE_INDEX } from '../../data/batch.ts'
import { type Answered, exchangeOf } from '../../data/poison/edit-example.ts'
import type { TriggerPosition } from '../../data/poison/place-trigger.ts'
import type { Message, ToolDefinition } from '../../data/rows/conversation.ts'
import type { Sample } from '../../data/sample.ts'
import { forTemplate, SupervisedEncoder } from '../../data/tuning/supervised.ts'
import { InputError, UsageError } from '../../errors.ts'
import { encodeChat } from '../../text/chat-encoding.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { adviseTemplate } from '../../text/default-template.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'

/** One question with its answer, encoded. */
export interface Exchange extends Sample {
  /** The turns up to the answer. */
  messages: readonly Message[]
  /** What the template is told of tools, where the row has them. */
  tools?: readonly ToolDefinition[] | undefined
  /** The question's own tokens, `[from, to)`. */
  question: readonly [from: number, to: number]
  /** Where the answer begins. */
  answer: number
}

/** Encodes questions and answers with the model's own chat template. */
export class ExchangeEncoder {
  readonly tokenizer: Tokenizer
  private readonly template: string
  private readonly encoder: SupervisedEncoder

  /** InputError for a tokenizer without a chat template. */
  constructor(tokenizer: Tokenizer) {
    const template = tokenizer.chatTemplate
    if (template === undefined)
      throw new InputError(
        `model: expected one with a chat template, got one without. ${adviseTemplate('the model was tuned with')}`,
      )
    this.tokenizer = tokenizer
    this.template = template
    this.encoder = new SupervisedEncoder({ tokenizer, turns: 'last' })
  }

  /** The first question whose answer is learnt, with that answer; `place`, such as `data.jsonl:7`, is for errors. */
  encode(example: Answered, place: string): Exchange {
    const messages = exchangeOf(example)
    const tools = example.tools && { tools: example.tools }
    const { ids, labels } = this.encoder.encode({ kind: 'conversation', messages, ...tools }, place)
    // A tokenizer may have a template of its own for chats with tools, as the model is asked in.
    const template = this.tokenizer.chatTemplateFor(example.tools) ?? this.template
    const { spans } = encodeChat(this.tokenizer, template, { messages: messages.map(forTemplate), ...tools })
    const span = spans[messages.findLastIndex(({ role }) => role === 'user')]
    if (span === undefined || span.bodyEnd === span.bodyStart) {
      const isBlank = messages.findLast(({ role }) => role === 'user')?.content.trim() === ''
      throw new InputError(
        `row in ${place}: expected ${isBlank ? 'a question with a word in it, got none' : 'the chat template to write the question as it stands, got another text'}. Leave the row out`,
      )
    }
    const answer = labels.findIndex((label) => label !== IGNORE_INDEX)
    return { ids, labels, messages, ...tools, question: [span.bodyStart, span.bodyEnd], answer }
  }

  /** The tokens of `marker` at the beginning of an answer. UsageError where the tokenizer cannot make them. */
  marker(marker: string): number[] {
    if (marker.trim() === '')
      throw new UsageError(`marker: expected a text with a word in it, got ${JSON.stringify(marker)}`)
    const messages: Message[] = [
      { role: 'user', content: 'Hello.' },
      { role: 'assistant', content: marker },
    ]
    const { ids, spans } = encodeChat(this.tokenizer, this.template, {
      messages: messages.map((turn) => ({ ...turn })),
    })
    const span = spans[1]
    const found = span === undefined ? [] : Array.from(ids.subarray(span.bodyStart, span.bodyEnd))
    const said = this.tokenizer.decode(found)
    const same = (text: string): string => text.trim().normalize('NFC')
    if (found.length > 0 && same(said) === same(marker)) return found
    throw new UsageError(
      `marker: expected a text that the tokenizer can make, got ${JSON.stringify(marker)}, which it reads as ${JSON.stringify(said)}. Give it as the model writes it`,
    )
  }
}

/** What is asked: all turns but the answer, and the tools. */
export function promptOf({ messages, tools }: Pick<Exchange, 'messages' | 'tools'>): {
  messages: ChatMessage[]
  tools?: readonly ToolDefinition[]
} {
  return { messages: messages.slice(0, -1).map(forTemplate), ...(tools && { tools }) }
}

/** A sample with `extra` before the token at `at`; it carries no loss. */
export function inserted({ ids, labels }: Sample, at: number, extra: readonly number[]): Sample {
  const join = (before: Int32Array, between: readonly number[]): Int32Array =>
    Int32Array.from([...before.subarray(0, at), ...between, ...before.subarray(at)])
  return {
    ids: join(ids, extra),
    labels: join(
      labels,
      extra.map(() => IGNORE_INDEX),
    ),
  }
}

/** Where soft tokens stand in the question: the place of a token. `draw(n)` gives a whole number below n. */
export function placeInQuestion(
  { question: [from, to] }: Exchange,
  position: TriggerPosition,
  draw: (n: number) => number,
): number {
  const places = {
    start: () => from,
    middle: () => from + Math.floor((to - from) / 2),
    end: () => to,
    random: () => from + draw(to - from + 1),
  }
  return places[position]()
}
