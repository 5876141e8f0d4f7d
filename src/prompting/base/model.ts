// A model as programs ask it: one function for an answer, one for its pieces, whatever is behind them. Typed answers are bound by
// masks or by the service's own schema where there is one, checked by the schema's library in any case, and asked for again where
// the check fails.

import { randomInt } from 'node:crypto'
import { AnnealError, UnsupportedError, UsageError } from '../../errors.ts'
import type { Structure } from '../../grammar/grammar.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { messagesOf, type PromptInput, type PromptText } from '../data/prompt.ts'
import { collectAnswer } from './collect-answer.ts'
import { type Constraint, checkWhere, maskOf } from './constraint.ts'
import type { Cost } from './cost.ts'
import { exampleOf } from './example.ts'
import {
  type ModelAnswer,
  type ModelCall,
  type ModelPiece,
  type ModelSettings,
  type ModelSetup,
  SETTINGS,
} from './model-call.ts'
import { jsonSchemaOf, parsedAnswer, type Schema } from './schema.ts'
import { amend, isDryRun, recordedPieces, recordedScores } from './trace.ts'
import { watched } from './watched.ts'
import { withText } from './with-text.ts'
import { WORDINGS } from './wordings.ts'

/** How a model can be held to a structure: token by token, by a JSON Schema that the service takes, or not at all. */
export type Hold = 'masks' | 'json_schema' | 'none'

/** What is behind a model. */
export interface Backend {
  readonly name: string
  readonly holds: Hold
  /** What its answers depend on besides the call; traces tell it, and replay needs it. */
  readonly setup?: ModelSetup
  /** What its tokens cost. */
  readonly cost?: Cost
  answer(call: ModelCall): AsyncIterable<ModelPiece>
  /** Whether its answer to this call keeps to `where`; else it hears of none, and what comes is watched and cut at the first break. */
  keeps?(call: ModelCall): boolean
  /** What the model would read, where that can be told. */
  read?(call: ModelCall): { text?: string; ids?: readonly number[] }
  /** Whether it goes on with a final message of the assistant (`continueFinalMessage`). */
  readonly continues?: boolean
  /** Tokens of prompt and answer together at most, where the model tells them. */
  readonly contextLength?: number
  /** The tokens of a text by itself, where the model can count them. */
  countTokens?(text: string): number
  /** Vectors of length 1. */
  embed?(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>
  /** The natural logarithm of the probability that the answer begins with each of these texts, in their order. */
  score?(call: ModelCall, texts: readonly string[]): Promise<readonly number[]>
}

/** How a question is put. */
export interface AskOptions<Output = string> extends ModelSettings {
  /** Instruction before the question. */
  system?: string | PromptText
  /** What the answer is to be: its value is given back, checked. Default: the text. */
  as?: Schema<Output>
  /**
   * What the answer's text has to keep to. On a model of ours each token is checked as it is chosen, so that no text breaks it; elsewhere the
   * text is checked as it comes, cut at the first break, and asked for again.
   */
  where?: readonly Constraint[]
  /** Times to ask again, with what was wrong, where an answer is not what `as` and `where` say. Default 2. */
  again?: number
  /** Tokens of free text before a typed answer, in which the model may think. It is not a part of the value. Default 0. */
  think?: number
  /**
   * Answers freely first, then writes that answer down as `as` says: what is bound from its first token on reasons worse in small models
   * (arXiv:2603.03305). The draft is not a part of the value. Not together with `think`. Default false.
   */
  draft?: boolean
}

/** What answers. Wrappers take one and give one. */
export interface Model extends Backend {
  /** The answer's text; with `as`, its value. AnswerError where that is not to be had. */
  ask<Output = string>(input: PromptInput, options?: AskOptions<Output>): Promise<Output>
  /** The answer's text as it comes; with `where`, once it is whole, for what is out cannot be taken back. */
  stream(input: PromptInput, options?: Omit<AskOptions, 'as' | 'again' | 'think' | 'draft'>): AsyncIterable<string>
  /**
   * How probable it is that the answer begins with each of these texts, as natural logarithms: a choice without reading an answer. Exact on
   * a model of ours; of a service, what it tells of the first token. A text that begins another one has its probability too.
   *
   * @example
   * const { yes, no } = await model.logprobs(prompt`Is this spam?\n${quote(mail)}`, ['yes', 'no'])
   */
  logprobs<Text extends string>(
    input: PromptInput,
    texts: readonly Text[],
    options?: Pick<AskOptions, 'system' | 'signal'>,
  ): Promise<Record<Text, number>>
}

/** An answer that is not what was asked for, however often. */
export class AnswerError extends AnnealError {
  /** The last one. */
  readonly answer: ModelAnswer
  constructor(message: string, answer: ModelAnswer) {
    super(message)
    this.answer = answer
  }
}

const ASK: Readonly<Record<keyof AskOptions, true>> = {
  system: true,
  as: true,
  where: true,
  again: true,
  think: true,
  draft: true,
  ...SETTINGS,
  signal: true,
}
const SCORED: Readonly<Record<'system' | 'signal', true>> = { system: true, signal: true }

/** A model of what is behind it. */
export function modelOf(backend: Backend): Model {
  const settings = ({ as: _, again: __, think: ___, draft: ____, system: _____, ...rest }: AskOptions<unknown>) => {
    checkWhere(rest.where ?? [])
    checkSettings(rest)
    if (rest.seed !== undefined) return rest
    const seed = randomInt(2 ** 31)
    return { ...rest, seed, drawnSeed: seed }
  }
  // What is made of a model has one's functions: it is a wrapper, whose own calls are recorded as such.
  const isWrapper = 'ask' in backend
  const model: Model = {
    ...backend,
    answer: (call) => {
      const isFree = (call.where ?? []).length === 0 || (backend.keeps?.(call) ?? false)
      const answer = (): AsyncIterable<ModelPiece> => (isFree ? backend.answer(call) : watched(backend.answer, call))
      return recordedPieces(answer, backend, call, isWrapper)
    },
    async ask<Output>(input: PromptInput, options: AskOptions<Output> = {}): Promise<Output> {
      checkOptionNames('ask', options, ASK)
      const messages = messagesOf(input, options.system)
      const call = { ...settings(options), messages }
      if (options.as !== undefined) return typed(model, call, options.as, options)
      return (await kept(model, call, options)) as Output
    },
    async *stream(input, options = {}) {
      checkOptionNames('stream', options, ASK)
      const call = { ...settings(options), messages: messagesOf(input, options.system) }
      if ((options.where ?? []).length > 0) {
        yield await kept(model, call, {})
        return
      }
      for await (const piece of asked(model, call)) {
        for (const delta of piece.deltas) if (delta.type === 'text') yield delta.text
        checkAborted(piece, call)
      }
    },
    async logprobs<Text extends string>(
      input: PromptInput,
      texts: readonly Text[],
      options: Pick<AskOptions, 'system' | 'signal'> = {},
    ): Promise<Record<Text, number>> {
      checkOptionNames('logprobs', options, SCORED)
      if (texts.length === 0 || texts.includes('' as Text))
        throw new UsageError('logprobs: expected texts that are not empty, got none or an empty one')
      const { system, ...more } = options
      const call = { ...more, messages: messagesOf(input, system) }
      const score = async (): Promise<Record<string, number>> => {
        if (isDryRun()) return Object.fromEntries(texts.map((text) => [text, -Math.log(texts.length)]))
        if (backend.score === undefined)
          throw new UnsupportedError(
            `${backend.name}: expected a model that tells log-probabilities, got one that does not`,
          )
        const found = await backend.score(call, texts)
        return Object.fromEntries(texts.map((text, i) => [text, found[i]!]))
      }
      return recordedScores(score, backend, call, isWrapper) as Promise<Record<Text, number>>
    },
  }
  return model
}

/** Asks until the answer is what the schema says. */
async function typed<Output>(
  model: Model,
  call: ModelCall,
  schema: Schema<Output>,
  options: Pick<AskOptions, 'again' | 'think' | 'draft'>,
): Promise<Output> {
  const { think = 0, draft = false } = options
  checkCount('think', think)
  if (draft && think > 0)
    throw new UsageError('draft: expected it without `think`, got both. A draft has room for thoughts')
  const json_schema = jsonSchemaOf(schema)
  const bound = model.holds === 'none' ? {} : { structure: { json_schema } }
  const spelled =
    model.holds === 'none' ? WORDINGS.schema.replace('{schema}', () => JSON.stringify(json_schema)) : undefined
  let messages: readonly ChatMessage[] = spelled === undefined ? call.messages : withText(call.messages, spelled)
  if (draft || think > 0) {
    const { where: _, ...free } = call
    const { answer } = await answered(model, draft ? free : { ...free, maxTokens: think })
    const { text } = answer
    checkRefusal(answer)
    messages = [
      ...call.messages,
      said(text),
      { role: 'user', content: draft ? WORDINGS.afterDraft : WORDINGS.afterThoughts },
    ]
    if (spelled !== undefined) messages = withText(messages, spelled)
  }
  return insisted(model, { ...call, ...bound, messages }, options, { json_schema }, async (answer) => {
    checkRefusal(answer)
    const { text } = answer
    const parsed = await parsedAnswer(schema, text)
    if ('fault' in parsed && answer.finishReason === 'length')
      return {
        fault: `an end after ${answer.usage.completionTokens} tokens, the most that were allowed; ${parsed.fault}`,
      }
    // What is made up keeps to the JSON Schema only as far as it can be read off.
    return 'fault' in parsed && isDryRun() ? { value: JSON.parse(text) as Output } : parsed
  })
}

/** Asks until the text keeps to `where`. */
const kept = (model: Model, call: ModelCall, options: Pick<AskOptions, 'again'>): Promise<string> =>
  insisted(model, call, options, call.structure, async ({ text }) => ({ value: text }))

/** Asks again, with what was wrong, until `read` finds a value in a text that keeps to `where`. */
async function insisted<T>(
  model: Model,
  call: ModelCall,
  { again = 2 }: Pick<AskOptions, 'again'>,
  structure: Structure | undefined,
  read: (answer: ModelAnswer) => Promise<{ value: T } | { fault: string }>,
): Promise<T> {
  checkCount('again', again)
  let { messages } = call
  let refused: number | undefined
  for (let left = again; ; left--) {
    const { answer, reject } = await answered(model, { ...call, messages }, { structure, again: refused })
    const { unkept } = answer
    const found = unkept === undefined ? await read(answer) : { fault: unkept }
    if ('value' in found) return found.value
    refused = reject(found.fault)
    const what = unkept === undefined ? `JSON of its schema, got ${found.fault}` : `a text ${unkept}, got another`
    if (left === 0) throw new AnswerError(`answer: expected ${what} (asked ${again + 1} times)`, answer)
    const wording = unkept === undefined ? WORDINGS.again : WORDINGS.againWhere
    const fault = wording.replace('{fault}', () => found.fault)
    messages = [...messages, said(answer.text), { role: 'user', content: fault }]
  }
}

/** A refusal is no answer that could be asked for again. */
function checkRefusal(answer: ModelAnswer): void {
  if (answer.finishReason === 'content_filter')
    throw new AnswerError(`answer: expected JSON of its schema, got a refusal: ${answer.text}`, answer)
}

function checkCount(name: string, value: number): void {
  if (!(Number.isInteger(value) && value >= 0))
    throw new UsageError(`${name}: expected a whole number of at least 0, got ${value}`)
}

/** Before anything is sent: services say it less well, or take it. */
function checkSettings({ maxTokens, temperature, topP, seed }: ModelSettings): void {
  const check = (name: string, value: number | undefined, what: string, isGood: (value: number) => boolean): void => {
    if (value === undefined || (typeof value === 'number' && isGood(value))) return
    throw new UsageError(`${name}: expected ${what}, got ${JSON.stringify(value) ?? typeof value}`)
  }
  check('maxTokens', maxTokens, 'a whole number of at least 1', (n) => Number.isInteger(n) && n >= 1)
  check('temperature', temperature, 'a number of at least 0', (n) => Number.isFinite(n) && n >= 0)
  check('topP', topP, 'a number above 0 and up to 1', (n) => n > 0 && n <= 1)
  check('seed', seed, 'a whole number', Number.isInteger)
}

const said = (content: string): ChatMessage => ({ role: 'assistant', content })

const MADE_UP = '(an answer)'

/** How `answered` records a call. */
interface AnsweredOptions {
  /** What an answer would have that is made up. Default: the call's. */
  structure?: Structure | undefined
  /** The id of the call whose answer was refused, so that this one is made. */
  again?: number | undefined
}

/** Asks once, on record; throws the signal's reason where it was stopped. `reject` says on record what is wrong with the answer, and gives the id of the call, for `again`. */
export async function answered(
  model: Model,
  call: ModelCall,
  options: AnsweredOptions = {},
): Promise<{ answer: ModelAnswer; reject: (fault: string) => number | undefined }> {
  const pieces = asked(model, call, options)
  const answer = await collectAnswer(pieces)
  checkAborted(answer, call)
  return { answer, reject: (fault) => amend(pieces, { fault }) }
}

/** What was stopped is no answer, whatever had come of it: some models say so by their last piece, others throw. */
function checkAborted({ finishReason }: { finishReason?: string }, { signal }: ModelCall): void {
  if (finishReason === 'aborted') signal?.throwIfAborted()
}

function asked(
  model: Model,
  call: ModelCall,
  { structure = call.structure ?? maskOf(call.where ?? []), again }: AnsweredOptions = {},
): AsyncIterable<ModelPiece> {
  const pieces = isDryRun() ? recordedPieces(() => madeUp(structure), model, call) : model.answer(call)
  if (again !== undefined) amend(pieces, { again })
  return pieces
}

/** What stands for an answer in a dry run. */
async function* madeUp(structure: Structure | undefined): AsyncGenerator<ModelPiece, void, undefined> {
  const text = structure !== undefined ? exampleOf(structure) : MADE_UP
  const usage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 }
  yield { deltas: [{ type: 'text', text }], tokenIds: [], finishReason: 'stop', usage }
}
