// A decoder as an `Lm`: weights, tokenizer and sampling settings together; `loadLm` of `anneal/run` makes one of what lies on disk.
// What it does per step is scheduler.ts; what a text is made of, sequence.ts; log-probabilities, score.ts.
// LibTorch computes on the calling thread: between two steps the event loop gets its turn, within one it does not.

import { setImmediate } from 'node:timers/promises'
import { InputError, TokenizerError, UnsupportedError, UsageError } from '../errors.ts'
import { checkHidden, checkPrompt, checkRequest, checkScoring } from '../lm/check-request.ts'
import {
  type ChatPromptOptions,
  collect,
  type GenerateRequest,
  type Generation,
  type GenerationPiece,
  type HiddenOptions,
  type Lm,
  type LmLoad,
  type ModelInfo,
  type Prompt,
  type PromptInspection,
  type ScoreOptions,
  type ScoreTokensOptions,
  type TokenLogProb,
  type TokenLogProbs,
} from '../lm/lm.ts'
import type { Decoder } from '../model/decoder.ts'
import { encodeChat, encodeChatIds } from '../text/chat-encoding.ts'
import { type ChatMessage, renderChat } from '../text/chat-template.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { DType, Tensor } from '../torch/index.ts'
import { contextLength } from './context.ts'
import { EngineAdapters } from './engine-adapters.ts'
import type { GenerationConfig } from './generation-config.ts'
import { checkLogprobs, generationSettings } from './generation-settings.ts'
import { GenerationTask } from './generation-task.ts'
import { checkLayer, hiddenStates } from './hidden-states.ts'
import { logProbs, tokenLogProbs } from './log-probs.ts'
import type { ModelAdapters } from './model-adapters.ts'
import { defaultCacheTokens, makeCache } from './model-cache.ts'
import { BLOCK_TOKENS } from './paged-cache.ts'
import { Scheduler } from './scheduler.ts'
import { scoreSequences } from './score.ts'
import { Sequence } from './sequence.ts'
import { Structures } from './structures.ts'

/** What an engine is made of. */
export interface EngineParts {
  model: Decoder
  /** Without one, only ids go in and out. */
  tokenizer?: Tokenizer | undefined
  generationConfig?: GenerationConfig
  /** Sequences that take part in one step at most; more wait. Default 16. */
  batchSize?: number | undefined
  /** Adapters that requests may name. */
  adapters?: ModelAdapters | undefined
  /** Tokens of all sequences together whose keys and values are kept. Default: what a quarter of the memory holds, at least one context and at most 16. */
  cacheTokens?: number | undefined
  /** What keys and values are stored as. Default: f16 beside quantized weights on a CPU, otherwise as they are computed. */
  cacheDtype?: DType | undefined
  /** Which model it is, for those who ask. */
  info?: ModelInfo | undefined
  /** Ids that the model reads before every text and that are no part of it: virtual tokens of a soft prompt, which may be negative. */
  prefix?: readonly number[]
}

/**
 * Generates and scores with a decoder. `loadLm` makes one of a directory, a GGUF file or an adapter.
 *
 * @example
 * const engine = new Engine({ model: loadDecoder('models/tiny'), tokenizer: await Tokenizer.fromDirectory('models/tiny') })
 * for await (const { text } of engine.generate({ prompt: 'Once upon a time', maxNewTokens: 40 })) process.stdout.write(text)
 */
export class Engine implements Lm {
  readonly model: Decoder
  readonly tokenizer: Tokenizer | undefined
  readonly generationConfig: GenerationConfig
  readonly info?: ModelInfo
  readonly #adapters: EngineAdapters
  readonly #prefix: readonly number[]
  readonly #scheduler: Scheduler
  readonly #structures = new Structures()
  readonly #cacheTokens: number
  #turnEnd: number | null | undefined
  #controlTokens: readonly string[] | undefined
  #isFreed = false

  constructor({ model, tokenizer, generationConfig = {}, prefix = [], ...options }: EngineParts) {
    this.model = model
    this.tokenizer = tokenizer
    this.generationConfig = generationConfig
    this.#prefix = prefix
    this.#adapters = new EngineAdapters(options.adapters)
    if (options.info !== undefined) this.info = options.info
    const { batchSize = 16, cacheTokens = defaultCacheTokens(model) } = options
    checkCount('batchSize', batchSize, 1)
    // Whole blocks are used, and a text of one token and the next one is the least that there is.
    checkCount('cacheTokens', cacheTokens, Math.ceil((prefix.length + 2) / BLOCK_TOKENS) * BLOCK_TOKENS)
    this.#cacheTokens = cacheTokens
    this.#scheduler = new Scheduler(model, {
      sequences: batchSize,
      adapters: options.adapters,
      makeCache: () => makeCache(model, this.#cacheTokens, options.cacheDtype),
    })
  }

  get contextLength(): number {
    const cached = Math.floor(this.#cacheTokens / BLOCK_TOKENS) * BLOCK_TOKENS
    return Math.min(contextLength(this.model.config), cached) - this.#prefix.length
  }

  get vocabSize(): number {
    return this.model.config.vocabSize
  }

  get layers(): number {
    return this.model.model.layers.length
  }

  get adapters(): readonly string[] {
    return this.#adapters.names
  }

  get defaultTemperature(): number | undefined {
    const { doSample, temperature } = this.generationConfig
    return doSample === undefined ? temperature : doSample ? (temperature ?? 1) : 0
  }

  get canChat(): boolean {
    return this.tokenizer?.chatTemplate !== undefined
  }

  encode(prompt: Prompt): number[] {
    checkPrompt(prompt)
    if ('ids' in prompt) return [...prompt.ids]
    const tokenizer = this.#needTokenizer()
    if ('prompt' in prompt) {
      const { addSpecialTokens = true, allowSpecial = false } = prompt
      return Array.from(tokenizer.encode(prompt.prompt, { addSpecialTokens, allowSpecial }))
    }
    const { messages, tools, continueFinalMessage = false, addGenerationPrompt = !continueFinalMessage } = prompt
    const { documents, variables } = prompt
    const chat = { messages, tools, documents, variables, continueFinalMessage, addGenerationPrompt }
    return Array.from(encodeChatIds(tokenizer, chatTemplateOf(tokenizer, tools), chat))
  }

  get prefixTokenId(): number | undefined {
    return this.tokenizer?.bosTokenId ?? this.tokenizer?.eosTokenId ?? this.model.config.eosTokenIds[0]
  }

  renderChat(messages: readonly ChatMessage[], options: ChatPromptOptions = {}): string {
    const tokenizer = this.#needTokenizer()
    const { namedTokens } = tokenizer
    return renderChat(chatTemplateOf(tokenizer, options.tools), { ...options, messages, namedTokens })
  }

  get chatTemplate(): string | undefined {
    return this.tokenizer?.chatTemplate
  }

  get toolTemplate(): string | undefined {
    return this.tokenizer?.chatTemplateFor([])
  }

  get controlTokens(): readonly string[] {
    this.#controlTokens ??= [...(this.tokenizer?.controlTokens ?? [])]
    return this.#controlTokens
  }

  get namedTokens(): Readonly<Record<string, string>> {
    return this.tokenizer?.namedTokens ?? {}
  }

  decode(ids: readonly number[]): string {
    return this.#needTokenizer().decode(ids, { skipSpecialTokens: true })
  }

  tokenBytes(id: number): Uint8Array {
    return this.#needTokenizer().idToBytes(id)
  }

  endTokenIds(prompt: Prompt): number[] {
    // generation_config.json knows best; config.json only where that says nothing.
    const listed = this.generationConfig.eosTokenIds ?? this.model.config.eosTokenIds
    const own = this.tokenizer?.eosTokenId
    return [...listed, ...(own === undefined ? [] : [own]), ...('messages' in prompt ? this.#turnEndIds() : [])]
  }

  async *generate(request: GenerateRequest): AsyncGenerator<GenerationPiece, void, undefined> {
    const task = this.#task(request)
    this.#scheduler.add(task)
    try {
      yield* task.pieces()
    } finally {
      // Whoever stops listening needs no more tokens.
      task.sequence.abort()
      this.#scheduler.sweep()
    }
  }

  async generateAll(requests: readonly GenerateRequest[]): Promise<Generation[]> {
    const tasks: GenerationTask[] = []
    try {
      for (const request of requests) tasks.push(this.#task(request))
      this.#scheduler.add(...tasks)
      return await Promise.all(tasks.map((task) => collect(task.pieces())))
    } finally {
      // Where one fails, nobody hears of the others.
      for (const task of tasks) task.sequence.abort()
      this.#scheduler.sweep()
      for (const task of tasks) task.leave()
    }
  }

  async score(sequences: readonly (readonly number[])[], options: ScoreOptions = {}): Promise<TokenLogProbs[]> {
    const scoring = this.#scoring(sequences, options)
    return this.#adapters.using(options.adapter, () => scoreSequences(this.#scheduler, sequences, logProbs, scoring))
  }

  async scoreTokens(
    sequences: readonly (readonly number[])[],
    options: ScoreTokensOptions = {},
  ): Promise<(readonly (TokenLogProb | null)[])[]> {
    checkLogprobs(options, this.vocabSize)
    const read = (logits: Tensor, next: readonly number[]): TokenLogProb[] => tokenLogProbs(logits, next, options)
    const scoring = this.#scoring(sequences, options)
    return this.#adapters.using(options.adapter, () => scoreSequences(this.#scheduler, sequences, read, scoring))
  }

  async hidden(sequences: readonly (readonly number[])[], options: HiddenOptions = {}): Promise<Float32Array[]> {
    checkHidden(sequences, options)
    const { layer = this.layers, adapter = null, signal } = options
    checkLayer(layer, this.layers)
    this.#checkAdapter(adapter)
    for (const [i, ids] of sequences.entries()) this.#checkText(ids, `sequence ${i}`, this.contextLength)
    return this.#adapters.using(adapter, async () => {
      const found: Float32Array[] = []
      for (const ids of sequences) {
        signal?.throwIfAborted()
        const all = [...this.#prefix, ...ids]
        const read = (): Float32Array => hiddenStates(this.model, all, options, this.#prefix.length)
        found.push(this.#adapters.during(adapter, all.length, read))
        await setImmediate() // between two texts the others get their turn
      }
      return found
    })
  }

  embed(
    prompts: readonly Prompt[],
    options: Pick<HiddenOptions, 'pooling' | 'adapter' | 'signal'> = {},
  ): Promise<Float32Array[]> {
    return this.hidden(
      prompts.map((prompt) => this.encode(prompt)),
      { ...options, normalize: true },
    )
  }

  async loadAdapter(name: string, directory: string): Promise<void> {
    this.#checkAdapter(null)
    this.#adapters.load(name, directory)
  }

  async unloadAdapter(name: string): Promise<void> {
    this.#checkAdapter(name)
    await this.#adapters.unload(name, () => this.#isFreed)
  }

  /** Blocks of the cache that sequences hold, and how many sequences there are. */
  get load(): LmLoad {
    const blocks = Math.floor(this.#cacheTokens / BLOCK_TOKENS)
    return { usedBlocks: this.#scheduler.usedBlocks, blocks, ...this.#scheduler.load }
  }

  /** Frees the keys and values that were kept for texts to come; the model stays. */
  freeCache(): void {
    this.#scheduler.free()
  }

  /** Frees the weights and the cache: nothing more can be asked. */
  free(): void {
    this.#isFreed = true
    this.freeCache()
    this.model.free()
  }

  #task(request: GenerateRequest): GenerationTask {
    checkRequest(request)
    const settings = generationSettings(request, this.generationConfig, this.vocabSize)
    this.#checkAdapter(settings.adapter)
    if (settings.stop.length > 0) this.#needTokenizer()
    const all = this.encode(request)
    const promptIds = all.slice(-(request.maxPromptTokens ?? all.length))
    const { contextLength, tokenizer } = this
    const { resumeIds = [] } = request
    this.#checkText([...promptIds, ...resumeIds], 'prompt', contextLength - 1)
    const isTurn = 'messages' in request
    // A turn that goes on is the rest of a text that was begun.
    const isOwnText = isTurn && !request.continueFinalMessage
    const endTokenIds = this.endTokenIds(request)
    const { signal, structure, inspect } = request
    if (inspect !== undefined) this.#checkInspection(inspect, promptIds.length)
    if (structure !== undefined)
      settings.mask = this.#structures.mask(structure, this.#needTokenizer(), this.vocabSize, {
        endTokenIds: [...endTokenIds, ...settings.stopTokenIds],
        leadingSpaces: isOwnText ? this.#needTokenizer().leadingSpaces : 0,
        maxNewTokens: Math.min(settings.maxNewTokens, contextLength - promptIds.length),
      })
    const start = { promptIds, resumeIds, contextLength, endTokenIds, tokenizer, isOwnText, signal }
    const sequence = new Sequence(start, settings)
    return new GenerationTask(sequence, this.#prefix, this.#adapters.begin(settings.adapter), inspect)
  }

  #checkInspection({ layer, end }: PromptInspection, length: number): void {
    checkLayer(layer, this.layers - 1)
    if (end > length) throw new UsageError(`inspect.end: expected at most ${length}, the prompt's tokens, got ${end}`)
  }

  /** The control token that the chat template puts behind an answer: many models do not list it among their end tokens. */
  #turnEndIds(): number[] {
    this.#turnEnd ??= findTurnEnd(this.#needTokenizer()) ?? null
    return this.#turnEnd === null ? [] : [this.#turnEnd]
  }

  #needTokenizer(): Tokenizer {
    if (this.tokenizer !== undefined) return this.tokenizer
    throw new UnsupportedError(
      'text: expected a model with a tokenizer.json, got one without. Give token ids, or put its tokenizer.json beside the weights',
    )
  }

  #scoring<O extends ScoreOptions>(
    sequences: readonly (readonly number[])[],
    options: O,
  ): O & { window: number; prefix: readonly number[] } {
    checkScoring(sequences, options)
    const { window = this.contextLength, from, adapter = null } = options
    if (!(Number.isInteger(window) && window >= 2 && window <= this.contextLength))
      throw new UsageError(`window: expected a whole number from 2 to ${this.contextLength}, got ${window}`)
    if (
      from !== undefined &&
      (from.length !== sequences.length || from.some((at) => !(Number.isInteger(at) && at >= 0)))
    )
      throw new UsageError(
        `from: expected a whole number ≥ 0 for each of ${sequences.length} sequences, got [${from.join(', ')}]`,
      )
    this.#checkAdapter(adapter)
    for (const [i, ids] of sequences.entries()) this.#checkIds(ids, `sequence ${i}`)
    return { ...options, window, prefix: this.#prefix }
  }

  /** Whether it can compute at all, and as `name`. */
  #checkAdapter(name: string | null): void {
    if (this.#isFreed)
      throw new UsageError('engine: expected one that is not freed, got one after free(). Load it again')
    this.#adapters.check(name)
  }

  /** At most `most` tokens, all of which there are. */
  #checkText(ids: readonly number[], what: string, most: number): void {
    this.#checkIds(ids, what)
    if (ids.length <= most) return
    const context = contextLength(this.model.config) - this.#prefix.length
    const limit =
      this.contextLength < context
        ? `the cache holds ${this.contextLength}, and the model's context is ${context}`
        : `the model's context is ${context}`
    throw new InputError(`${what}: expected at most ${most} tokens (${limit}), got ${ids.length}. Shorten it`)
  }

  #checkIds(ids: readonly number[], what: string): void {
    if (ids.length === 0)
      throw new InputError(`${what}: expected at least one token, got none. Put a text before what is to be written`)
    const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < this.vocabSize))
    if (wrong === -1) return
    throw new InputError(
      `${what}: expected token ids from 0 to ${this.vocabSize - 1}, got ${ids[wrong]} at ${wrong}. Does the tokenizer belong to the model?`,
    )
  }
}

function chatTemplateOf(tokenizer: Tokenizer, tools?: readonly unknown[]): string {
  const template = tokenizer.chatTemplateFor(tools) ?? tokenizer.chatTemplate
  if (template !== undefined) return template
  throw new UnsupportedError(
    'messages: expected a model with a chat template, got one without. Give a prompt as text, or add chat_template.jinja to the model',
  )
}

function checkCount(name: string, value: number, least: number): void {
  if (!(Number.isSafeInteger(value) && value >= least))
    throw new UsageError(`${name}: expected a whole number ≥ ${least}, got ${value}`)
}

function findTurnEnd(tokenizer: Tokenizer): number | undefined {
  const answer = 'Yes.'
  const messages = [
    { role: 'user', content: 'Hello?' },
    { role: 'assistant', content: answer },
  ]
  try {
    const { text } = encodeChat(tokenizer, tokenizer.chatTemplate!, { messages })
    const rest = text.slice(text.lastIndexOf(answer) + answer.length).trimStart()
    for (const [token, id] of tokenizer.specialTokens) if (rest.startsWith(token)) return id
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error // a template that refuses such a chat ends its turns otherwise
  }
  return undefined
}
