// A model as programs ask it: one function for an answer, one for its pieces, whatever is behind them. Typed answers are bound by
// masks or by the service's own schema where there is one, checked by the schema's library in any case, and asked for again where
// the check fails.

import { randomInt } from 'node:crypto'
import { type ChatAnswer, type ChatPiece, collectChat } from '../../chat/answer.ts'
import { AnnealError, UsageError } from '../../errors.ts'
import type { Structure } from '../../grammar/grammar.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { messagesOf, type PromptInput, type PromptText } from '../data/prompt.ts'
import { exampleOf } from './example.ts'
import type { ModelCall, ModelSettings } from './model-call.ts'
import { jsonSchemaOf, parsedAnswer, type Schema } from './schema.ts'
import { isDryRun, recorded } from './trace.ts'
import { WORDINGS } from './wordings.ts'

/** How a model can be held to a structure: token by token, by a JSON Schema that the service takes, or not at all. */
export type Hold = 'masks' | 'json_schema' | 'none'

/** What is behind a model. */
export interface Backend {
  readonly name: string
  readonly holds: Hold
  answer(call: ModelCall): AsyncIterable<ChatPiece>
  /** What the model would read, where that can be told. */
  read?(call: ModelCall): { text?: string; ids?: readonly number[] }
  /** Vectors of length 1. */
  embed?(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>
}

/** How a question is put. */
export interface AskOptions<Output = string> extends ModelSettings {
  /** Instruction before the question. */
  system?: string | PromptText
  /** What the answer is to be: its value is given back, checked. Default: the text. */
  as?: Schema<Output>
  /** Times to ask again, with what was wrong, where an answer is not what `as` says. Default 2. */
  again?: number
  /** Tokens of free text before a typed answer, in which the model may think. It is not a part of the value. Default 0. */
  think?: number
}

/** What answers. Wrappers take one and give one. */
export interface Model extends Backend {
  /** The answer's text; with `as`, its value. AnswerError where that is not to be had. */
  ask<Output = string>(input: PromptInput, options?: AskOptions<Output>): Promise<Output>
  /** The answer's text as it comes. */
  stream(input: PromptInput, options?: Omit<AskOptions, 'as' | 'again' | 'think'>): AsyncIterable<string>
}

/** An answer that is not what was asked for, however often. */
export class AnswerError extends AnnealError {
  /** The last one. */
  readonly answer: ChatAnswer
  constructor(message: string, answer: ChatAnswer) {
    super(message)
    this.answer = answer
  }
}

const ASK: Readonly<Record<keyof AskOptions, true>> = {
  system: true,
  as: true,
  again: true,
  think: true,
  maxTokens: true,
  temperature: true,
  topP: true,
  seed: true,
  stop: true,
  signal: true,
}

/** A model of what is behind it. */
export function modelOf(backend: Backend): Model {
  const settings = ({ as: _, again: __, think: ___, system: ____, ...rest }: AskOptions<unknown>): ModelSettings => ({
    ...rest,
    seed: rest.seed ?? randomInt(2 ** 31),
  })
  const model: Model = {
    ...backend,
    async ask<Output>(input: PromptInput, options: AskOptions<Output> = {}): Promise<Output> {
      checkOptionNames('ask', options, ASK)
      const messages = messagesOf(input, options.system)
      const call = { ...settings(options), messages }
      if (options.as === undefined) return (await answered(backend, call)).answer.text as Output
      return typed(backend, call, options.as, options)
    },
    async *stream(input, options = {}) {
      checkOptionNames('stream', options, ASK)
      const call = { ...settings(options), messages: messagesOf(input, options.system) }
      if (isDryRun()) {
        yield (await answered(backend, call)).answer.text
        return
      }
      yield* streamed(backend, call)
    },
  }
  return model
}

/** The pieces of an answer's text, on record when it is over. */
async function* streamed(backend: Backend, call: ModelCall): AsyncGenerator<string, void, undefined> {
  const pieces: ChatPiece[] = []
  let over = (): void => {}
  const whole = new Promise<void>((resolve) => {
    over = resolve
  })
  const done = recorded(backend.name, call, {
    read: () => backend.read?.(call) ?? {},
    answer: () => whole.then(() => collectChat(pieces)),
  })
  try {
    for await (const piece of backend.answer(call)) {
      pieces.push(piece)
      for (const delta of piece.deltas) if (delta.type === 'text') yield delta.text
    }
  } finally {
    over()
    await done.catch(() => undefined) // whoever stopped listening has no end to record
  }
}

/** Asks until the answer is what the schema says. */
async function typed<Output>(
  backend: Backend,
  call: ModelCall,
  schema: Schema<Output>,
  { again = 2, think = 0 }: Pick<AskOptions, 'again' | 'think'>,
): Promise<Output> {
  for (const [name, value] of Object.entries({ again, think }))
    if (!(Number.isInteger(value) && value >= 0))
      throw new UsageError(`${name}: expected a whole number of at least 0, got ${value}`)
  const json_schema = jsonSchemaOf(schema)
  const bound = backend.holds === 'none' ? {} : { structure: { json_schema } }
  const spelled =
    backend.holds === 'none' ? WORDINGS.schema.replace('{schema}', () => JSON.stringify(json_schema)) : undefined
  let messages: readonly ChatMessage[] = spelled === undefined ? call.messages : withText(call.messages, spelled)
  if (think > 0) {
    const { answer } = await answered(backend, { ...call, maxTokens: think })
    const { text } = answer
    messages = [...call.messages, said(text), { role: 'user', content: WORDINGS.afterThoughts }]
    if (spelled !== undefined) messages = withText(messages, spelled)
  }
  for (let left = again; ; left--) {
    const { answer, reject } = await answered(backend, { ...call, ...bound, messages }, { json_schema })
    const parsed = await parsedAnswer(schema, answer.text)
    if ('value' in parsed) return parsed.value
    // What is made up keeps to the JSON Schema only as far as it can be read off.
    if (isDryRun()) return JSON.parse(answer.text) as Output
    reject(parsed.fault)
    if (left === 0)
      throw new AnswerError(
        `answer: expected JSON of its schema, got ${parsed.fault} (asked ${again + 1} times)`,
        answer,
      )
    const fault = WORDINGS.again.replace('{fault}', () => parsed.fault)
    messages = [...messages, said(answer.text), { role: 'user', content: fault }]
  }
}

const said = (content: string): ChatMessage => ({ role: 'assistant', content })

/** The messages with a text behind the last one of the user. */
function withText(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const last = messages.findLastIndex(({ role }) => role === 'user')
  return messages.map((message, i) =>
    i === last ? { ...message, content: `${String(message.content)}\n\n${text}` } : message,
  )
}

const MADE_UP = '(an answer)'

/** Asks once, on record; `structure` is what an answer would have that is made up. */
export function answered(
  backend: Backend,
  call: ModelCall,
  structure: Structure | undefined = call.structure,
): Promise<{ answer: ChatAnswer; reject: (fault: string) => void }> {
  const answer = isDryRun() ? async () => madeUp(structure) : () => collectChat(backend.answer(call))
  return recorded(backend.name, call, { read: () => backend.read?.(call) ?? {}, answer })
}

/** What stands for an answer in a dry run. */
function madeUp(structure: Structure | undefined): ChatAnswer {
  const text = structure !== undefined ? exampleOf(structure) : MADE_UP
  const usage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 }
  return { text, reasoning: '', toolCalls: [], tokenIds: [], finishReason: 'stop', usage }
}
