// A text or a conversation that a program and a model write together, on a model of ours: it goes on, branches, chooses and is looked into.
// A session holds ids and nothing else; what was read before is found in the model's cache by what it says, so branches read it once.

import { type ChatAnswer, collectChat } from '../../chat/answer.ts'
import { UsageError } from '../../errors.ts'
import type { Structure } from '../../grammar/grammar.ts'
import { collect, type GenerateRequest, type Generation, type Lm, type TokenLogProb, type Usage } from '../../lm/lm.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { checkLm } from '../base/check-model.ts'
import { type Constraint, checkWhere, maskOf } from '../base/constraint.ts'
import { generateWhere } from '../base/eager.ts'
import { exampleOf } from '../base/example.ts'
import { AnswerError } from '../base/model.ts'
import type { ModelCall, ModelPiece, ModelSettings } from '../base/model-call.ts'
import { jsonSchemaOf, parsedAnswer, type Schema } from '../base/schema.ts'
import { isDryRun, recordedPieces, recordedScores } from '../base/trace.ts'
import { messagesOf, PromptText } from '../data/prompt.ts'
import { type Chosen, choiceProbabilities } from './choice-probabilities.ts'
import { idsOfText } from './ids-of-text.ts'
import { type LinearProbe, probeValue, readProbe } from './linear-probe.ts'

/** How a session's model goes on. */
export interface SessionAskOptions<Output = string> extends Omit<ModelSettings, 'logprobs' | 'topLogprobs'> {
  /** What is said has to keep to these, token by token. */
  where?: readonly Constraint[]
  /** What is said is JSON of this, and its value is given back. */
  as?: Schema<Output>
}

/** What all calls of a session have in common. */
export interface SessionOptions extends Pick<GenerateRequest, 'adapter' | 'cacheSalt'> {
  /** In traces. Default: the model's own. */
  name?: string
}

const ASK: Readonly<Record<keyof SessionAskOptions, true>> = {
  where: true,
  as: true,
  maxTokens: true,
  temperature: true,
  topP: true,
  seed: true,
  stop: true,
  signal: true,
}

/**
 * Begins a session. A text or a prompt is a text that goes on as it stands, for any model; messages are a conversation, for models with a chat
 * template, where what is added is a turn of the user and what is said one of the assistant. Control tokens in what is added are plain text.
 *
 * @example
 * const session = openSession(lm, prompt`Question: ${question}\n`)
 * const kind = await session.choose(['number', 'name', 'date'])
 * const five = await Promise.all(session.fork(5).map((one, seed) => one.ask('\nAnswer:', { seed, temperature: 0.8, stop: ['\n'] })))
 */
export function openSession(
  lm: Lm,
  input: string | PromptText | readonly ChatMessage[],
  options: SessionOptions = {},
): Session {
  checkLm('openSession', lm)
  const isText = typeof input === 'string' || input instanceof PromptText
  return new Session(lm, options, isText ? lm.encode({ prompt: String(input) }) : messagesOf(input))
}

/** A text or a conversation in the making; `openSession` begins one. One call at a time. */
export class Session {
  readonly lm: Lm
  readonly #options: SessionOptions
  /** A text's ids, or the messages of a conversation. */
  readonly #ids: number[] | undefined
  readonly #messages: ChatMessage[]
  readonly #logprobs: TokenLogProb[] = []
  #usage: Usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 }

  /** Ids or messages; they are copied. */
  constructor(lm: Lm, options: SessionOptions, begun: readonly number[] | readonly ChatMessage[]) {
    this.lm = lm
    this.#options = options
    const isIds = (some: readonly unknown[]): some is readonly number[] => typeof some[0] === 'number'
    this.#ids = isIds(begun) ? [...begun] : begun.length === 0 ? [] : undefined
    this.#messages = isIds(begun) ? [] : [...begun]
  }

  /** What the model reads next. */
  get ids(): readonly number[] {
    return this.#ids ?? this.lm.encode({ messages: this.#messages, ...this.#turn })
  }

  /** The same as text; of a conversation, as its template writes it. */
  get text(): string {
    if (this.#ids !== undefined) return this.lm.decode(this.#ids)
    return this.lm.renderChat?.(this.#messages, this.#turn) ?? this.lm.decode(this.ids)
  }

  /** The messages of a conversation; none of a text. */
  get messages(): readonly ChatMessage[] {
    return this.#messages
  }

  /** Of all tokens that the model has said here, in their order. */
  get logprobs(): readonly TokenLogProb[] {
    return this.#logprobs
  }

  /** Tokens read and made by this session, without those of what it was forked from. */
  get usage(): Usage {
    return { ...this.#usage }
  }

  /** Adds to the text, or a turn of the user to the conversation. */
  add(input: string | PromptText): this {
    const text = String(input)
    if (this.#ids === undefined) this.#messages.push({ role: 'user', content: text })
    else if (text !== '') this.#ids.push(...this.lm.encode({ prompt: text, addSpecialTokens: false }))
    return this
  }

  /**
   * Adds `input`, where there is one, lets the model go on and gives what it says, which is a part of the session then; an end token and a
   * stop string are not. AnswerError where it does not come to what `where` and `as` ask; the session is then as if it had not been asked.
   */
  async ask<Output = string>(
    input: string | PromptText = '',
    options: SessionAskOptions<Output> = {},
  ): Promise<Output> {
    checkOptionNames('ask', options, ASK)
    const { as, where = [], maxTokens, ...rest } = options
    checkWhere(where)
    const trial = this.fork(1)[0]!
    if (String(input) !== '') trial.add(input)
    const structure: Structure | undefined = as === undefined ? undefined : { json_schema: jsonSchemaOf(as) }
    const { adapter, cacheSalt } = this.#options
    const request: GenerateRequest = {
      ...(trial.#ids === undefined ? { messages: trial.#messages } : { ids: [...trial.#ids] }),
      ...rest,
      ...(adapter !== undefined && { adapter }),
      ...(cacheSalt !== undefined && { cacheSalt }),
      ...(maxTokens !== undefined && { maxNewTokens: maxTokens }),
      ...(structure !== undefined && { structure }),
      logprobs: true,
    }
    let made: Generation | undefined
    const call: ModelCall = { ...options, messages: trial.#asMessages(), ...(structure !== undefined && { structure }) }
    const answer = await trial.#recorded(call, async () => {
      made = await (where.length > 0 ? generateWhere(this.lm, request, where) : collect(this.lm.generate(request)))
      return made
    })
    if (made?.finishReason === 'aborted') rest.signal?.throwIfAborted()
    const parsed = as === undefined ? { value: answer.text as Output } : await parsedAnswer(as, answer.text)
    if ('fault' in parsed && !isDryRun())
      throw new AnswerError(`answer: expected JSON of its schema, got ${parsed.fault}`, answer)
    trial.#say(answer.text, made)
    this.#take(trial)
    return 'value' in parsed ? parsed.value : (JSON.parse(answer.text) as Output)
  }

  /**
   * The option that the model finds likeliest here, which is then said, and the probability of each. It is that of saying it where nothing
   * but one of the options can be said: token by token, among those with which an option goes on. Where one ends within another, all that
   * does not go on with the other counts as its end. With `calibrate`, a text in the place of all that was said so far that has no content
   * (`'Question: N/A\nKind:'`), each probability is divided by the one that its option has there (arXiv:2102.09690).
   */
  async choose<Option extends string>(
    options: readonly Option[],
    { calibrate, signal }: { calibrate?: string | PromptText; signal?: AbortSignal } = {},
  ): Promise<Chosen<Option>> {
    if (!Array.isArray(options) || options.length === 0 || options.includes('' as Option))
      throw new UsageError('choose: expected options that are not empty, got none or an empty one')
    const encoded = options.map((option) => this.lm.encode({ prompt: option, addSpecialTokens: false }))
    const asked = { ...this.#options, ...(signal !== undefined && { signal }) }
    const score = async (): Promise<Record<string, number>> => {
      if (isDryRun()) return Object.fromEntries(options.map((option) => [option, -Math.log(options.length)]))
      const found = await choiceProbabilities(this.lm, this.ids, encoded, asked)
      const bare =
        calibrate === undefined
          ? undefined
          : await choiceProbabilities(this.lm, this.lm.encode({ prompt: String(calibrate) }), encoded, asked)
      const weights = found.map((share, i) =>
        bare === undefined ? share : share / Math.max(bare[i]!, Number.MIN_VALUE),
      )
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      return Object.fromEntries(options.map((option, i) => [option, Math.log(weights[i]! / total)]))
    }
    const call = { messages: this.#asMessages(), structure: { choice: [...options] } }
    const scores = await recordedScores(score, this.#asBackend(), call, false)
    const probabilities = Object.fromEntries(options.map((option) => [option, Math.exp(scores[option]!)])) as Record<
      Option,
      number
    >
    const value = options.reduce((best, option) => (scores[option]! > scores[best]! ? option : best))
    if (this.#ids === undefined) this.#messages.push({ role: 'assistant', content: value })
    else this.add(value)
    return { value, probabilities }
  }

  /** So many sessions that begin as this one is, each of which goes its own way. What this one has read they do not read again. */
  fork(count: number): Session[] {
    if (!(Number.isSafeInteger(count) && count >= 1))
      throw new UsageError(`fork: expected a whole number of at least 1, got ${count}`)
    return Array.from({ length: count }, () => new Session(this.lm, this.#options, this.#ids ?? this.#messages))
  }

  /** What a linear probe says of the text so far, from 0 to 1. `probe`: the probe itself, or the path of its JSON file. */
  async probe(probe: LinearProbe | string, { signal }: { signal?: AbortSignal } = {}): Promise<number> {
    const read = typeof probe === 'string' ? await readProbe(probe) : probe
    const score = async (): Promise<Record<string, number>> => ({
      probe: Math.log(isDryRun() ? 0.5 : await probeValue(this.lm, this.ids, read, { ...this.#options, signal })),
    })
    const { probe: found } = await recordedScores(score, this.#asBackend(), { messages: this.#asMessages() }, false)
    return Math.exp(found!)
  }

  get #turn(): { addGenerationPrompt: boolean } {
    return { addGenerationPrompt: this.#messages.at(-1)?.role !== 'assistant' }
  }

  #asMessages(): ChatMessage[] {
    return this.#ids === undefined ? [...this.#messages] : [{ role: 'text', content: this.text }]
  }

  #asBackend() {
    const { name = this.lm.info?.name ?? 'model', adapter } = this.#options
    return {
      name,
      ...(adapter !== undefined && { setup: { adapter } }),
      read: () => ({ text: this.text, ids: [...this.ids] }),
    }
  }

  #recorded(call: ModelCall, generate: () => Promise<Generation>): Promise<ChatAnswer> {
    const pieces = async function* (): AsyncGenerator<ModelPiece, void, undefined> {
      const structure = call.structure ?? maskOf(call.where ?? [])
      const text = structure === undefined ? '(an answer)' : exampleOf(structure)
      const empty = { promptTokens: 0, completionTokens: 0 }
      const { usage, ...made } = isDryRun()
        ? { text, tokenIds: [], finishReason: 'stop' as const, usage: empty }
        : await generate()
      const deltas = made.text === '' ? [] : [{ type: 'text' as const, text: made.text }]
      yield { ...made, deltas, usage: { ...usage, reasoningTokens: 0 } }
    }
    return collectChat(recordedPieces(pieces, this.#asBackend(), call))
  }

  /** Adds what was said, as the tokens that said it. */
  #say(text: string, made: Generation | undefined): void {
    if (this.#ids === undefined) this.#messages.push({ role: 'assistant', content: text })
    else {
      const ids = made === undefined ? { ids: [], rest: text } : idsOfText(this.lm, this.#ids, made)
      this.#ids.push(...ids.ids)
      if (ids.rest !== '') this.#ids.push(...this.lm.encode({ prompt: ids.rest, addSpecialTokens: false }))
    }
    if (made === undefined) return
    this.#logprobs.push(...(made.logprobs ?? []))
    const { promptTokens, cachedTokens = 0, completionTokens } = made.usage
    this.#usage = { promptTokens, cachedTokens, completionTokens }
  }

  /** What a copy has become. */
  #take(trial: Session): void {
    if (this.#ids === undefined) this.#messages.splice(0, this.#messages.length, ...trial.#messages)
    else this.#ids.splice(0, this.#ids.length, ...trial.#ids!)
    this.#logprobs.push(...trial.#logprobs)
    for (const name of ['promptTokens', 'cachedTokens', 'completionTokens'] as const)
      this.#usage[name] = (this.#usage[name] ?? 0) + (trial.#usage[name] ?? 0)
  }
}
