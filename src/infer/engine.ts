// A decoder as an `Lm`: weights, tokenizer and sampling settings together; `loadLm` of `anneal/run` makes one of what lies on disk.
// What it does per token is decode-batch.ts; what a text is made of, sequence.ts; log-probabilities, score.ts.
// LibTorch computes on the calling thread: between two tokens the event loop gets its turn, within one it does not.

import { setImmediate } from 'node:timers/promises'
import { InputError, TokenizerError, UnsupportedError, UsageError } from '../errors.ts'
import type { GenerateRequest, Generation, GenerationPiece, Lm, Prompt, ScoreOptions, TokenLogProbs } from '../lm/lm.ts'
import type { Decoder } from '../model/decoder.ts'
import { encodeChat } from '../text/chat-encoding.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { contextLength, hasLengthDependentRope } from './context.ts'
import { DecodeBatch } from './decode-batch.ts'
import type { GenerationConfig } from './generation-config.ts'
import { generationSettings } from './generation-settings.ts'
import { scoreSequences } from './score.ts'
import { Sequence } from './sequence.ts'

/** What an engine is made of. */
export interface EngineParts {
  model: Decoder
  /** Without one, only ids go in and out. */
  tokenizer?: Tokenizer | undefined
  generationConfig?: GenerationConfig
  batchSize?: number | undefined
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
  readonly #batchSize: number
  readonly #prefix: readonly number[]
  #turnEnd: number | null | undefined

  constructor({ model, tokenizer, generationConfig = {}, batchSize = 16, prefix = [] }: EngineParts) {
    this.model = model
    this.tokenizer = tokenizer
    this.generationConfig = generationConfig
    this.#batchSize = hasLengthDependentRope(model.config) ? 1 : batchSize
    this.#prefix = prefix
  }

  get contextLength(): number {
    return contextLength(this.model.config) - this.#prefix.length
  }

  get vocabSize(): number {
    return this.model.config.vocabSize
  }

  get canChat(): boolean {
    return this.tokenizer?.chatTemplate !== undefined
  }

  encode(prompt: Prompt): number[] {
    if ('ids' in prompt) return [...prompt.ids]
    const tokenizer = this.#needTokenizer()
    if ('prompt' in prompt) return Array.from(tokenizer.encode(prompt.prompt))
    if (tokenizer.chatTemplate === undefined) {
      throw new UnsupportedError(
        'messages: expected a model with a chat template, got one without. Give a prompt as text, or add chat_template.jinja to the model',
      )
    }
    const { messages, tools } = prompt
    const template = tokenizer.chatTemplateFor(tools) ?? tokenizer.chatTemplate
    return Array.from(encodeChat(tokenizer, template, { messages, tools, addGenerationPrompt: true }).ids)
  }

  decode(ids: readonly number[]): string {
    return this.#needTokenizer().decode(ids, { skipSpecialTokens: true })
  }

  async *generate(request: GenerateRequest): AsyncGenerator<GenerationPiece, void, undefined> {
    const sequence = this.#start(request)
    for await (const _ of this.#decode([sequence])) {
      const piece = sequence.take()
      if (piece !== undefined) yield piece
    }
  }

  async generateAll(requests: readonly GenerateRequest[]): Promise<Generation[]> {
    const sequences = requests.map((request) => this.#start(request))
    // Prompts of like lengths together: little padding.
    const sorted = [...sequences].sort((a, b) => a.promptIds.length - b.promptIds.length)
    for (let first = 0; first < sorted.length; first += this.#batchSize) {
      const batch = sorted.slice(first, first + this.#batchSize)
      for await (const _ of this.#decode(batch));
    }
    return sequences.map((sequence) => sequence.take() as Generation)
  }

  async score(
    sequences: readonly (readonly number[])[],
    { window = this.contextLength, ...options }: ScoreOptions = {},
  ): Promise<TokenLogProbs[]> {
    if (!(Number.isInteger(window) && window >= 2 && window <= this.contextLength)) {
      throw new UsageError(`window: expected a whole number from 2 to ${this.contextLength}, got ${window}`)
    }
    for (const [i, ids] of sequences.entries()) this.#checkIds(ids, `sequence ${i}`)
    return scoreSequences(this.model, sequences, window, { ...options, prefix: this.#prefix })
  }

  /** Frees the weights. */
  free(): void {
    this.model.free()
  }

  #start(request: GenerateRequest): Sequence {
    const settings = generationSettings(request, this.generationConfig)
    if (settings.stop.length > 0) this.#needTokenizer()
    const promptIds = this.encode(request)
    this.#checkIds(promptIds, 'prompt')
    const { contextLength, tokenizer } = this
    if (promptIds.length >= contextLength) {
      throw new InputError(
        `prompt: expected at most ${contextLength - 1} tokens (the model's context is ${contextLength}), got ${promptIds.length}. Shorten it`,
      )
    }
    const isOwnText = 'messages' in request
    const endTokenIds = [...this.#endTokenIds(), ...(isOwnText ? this.#turnEndIds() : [])]
    const { signal } = request
    return new Sequence({ promptIds, contextLength, endTokenIds, tokenizer, isOwnText, signal }, settings)
  }

  /** Advances the sequences together until all are done; yields after every call of the model. */
  async *#decode(sequences: readonly Sequence[]): AsyncGenerator<void, void, undefined> {
    const batch = new DecodeBatch(this.model, sequences, this.#prefix)
    try {
      while (!batch.isDone) {
        for (const sequence of sequences) sequence.checkSignal()
        batch.advance()
        yield
        await setImmediate()
      }
    } finally {
      batch.free()
    }
  }

  /** generation_config.json knows best; config.json only where that says nothing. */
  #endTokenIds(): number[] {
    const listed = this.generationConfig.eosTokenIds ?? this.model.config.eosTokenIds
    const own = this.tokenizer?.eosTokenId
    return own === undefined ? [...listed] : [...listed, own]
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

  #checkIds(ids: readonly number[], what: string): void {
    if (ids.length === 0) throw new InputError(`${what}: expected at least one token, got none`)
    const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < this.vocabSize))
    if (wrong === -1) return
    throw new InputError(
      `${what}: expected token ids from 0 to ${this.vocabSize - 1}, got ${ids[wrong]} at ${wrong}. Does the tokenizer belong to the model?`,
    )
  }
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
