// An `Lm` without a model, for tests of what talks to one: its tokens are Unicode characters, its answers yours.

import { UsageError } from '../errors.ts'
import { compileGrammar } from '../grammar/grammar.ts'
import { StructuredText } from '../grammar/structured-text.ts'
import { renderChat } from '../text/chat-template.ts'
import { checkHidden, checkPrompt, checkRequest, checkScoring } from './check-request.ts'
import {
  collect,
  type GenerateRequest,
  type GenerationPiece,
  type HiddenOptions,
  type Lm,
  type LogProb,
  type ModelInfo,
  type Prompt,
  type ScoreOptions,
  type ScoreTokensOptions,
  type TokenLogProb,
  type Usage,
} from './lm.ts'
import { NoTokenError } from './no-token-error.ts'
import { pool } from './pool.ts'
import { StopStrings } from './stop-strings.ts'
import { hasToken } from './token-mask.ts'

/** What a made-up model answers, and the limits that it has. */
export interface FakeLmOptions {
  /** What it says to a request; default: the prompt's own text. */
  reply?: (request: GenerateRequest) => string
  /** The log-probability of token `index` of `ids`, for index ≥ 1; default −1. */
  logProb?: (ids: readonly number[], index: number) => number
  /** What else might stand at `index` of `ids`: `topLogprobs` ranks these and the token itself by `logProb`. Default: nothing. */
  candidates?: (ids: readonly number[], index: number) => readonly number[]
  /** The vector of token `index` of `ids` after `layer` blocks; default: its id, its place and the layer. */
  vector?: (ids: readonly number[], index: number, layer: number) => readonly number[]
  info?: ModelInfo
  /** Names that a request may give as `adapter`. */
  adapters?: readonly string[]
  /** Default 2. */
  layers?: number
  /** Default 4096. */
  contextLength?: number
  /** Default true. */
  canChat?: boolean
}

const VOCAB_SIZE = 0x110000

/**
 * Makes a language model that gives out one character per token and does what every `Lm` may do. It says the next character of its
 * reply, or, where a mask, bias or penalty is against it, what is then the most probable of that, the candidates and the biased ids;
 * temperature and what cuts a distribution change nothing. It has read whatever it has seen before (`cachedTokens`).
 */
export function fakeLm(options: FakeLmOptions = {}): Lm {
  const { logProb = () => -1, candidates = () => [], contextLength = 4096, canChat = true } = options
  const { layers = 2, info = { name: 'fake' } } = options
  const adapters = [...(options.adapters ?? [])]
  const leaving = new Set<string>()
  const running = new Set<{ ids: readonly number[]; adapter: string | null }>()
  /** Told when a text ends. */
  const ended: (() => void)[] = []
  const vector = options.vector ?? ((ids, index, layer) => [ids[index]!, index, layer])
  const encode = (prompt: Prompt): number[] => {
    checkPrompt(prompt)
    return 'ids' in prompt ? [...prompt.ids] : toIds(textOf(prompt))
  }
  const echo = (prompt: Prompt): string =>
    'ids' in prompt ? fromIds(prompt.ids) : textOf({ addGenerationPrompt: false, ...prompt })
  const answer = options.reply ?? echo
  const cache = new TextsSeen()

  const checkAdapter = (adapter: string | null = null): void => {
    if (adapter !== null && !adapters.includes(adapter))
      throw new UsageError(`adapter: expected one of ${adapters.join(', ') || 'none'}, got ${adapter}`)
  }

  const describe = (
    ids: readonly number[],
    index: number,
    asked: Pick<ScoreTokensOptions, 'topLogprobs' | 'logprobTokenIds'>,
  ) => {
    const entry = (id: number): LogProb => ({ id, logprob: logProb(ids.with(index, id), index) })
    const all = [...new Set([ids[index]!, ...candidates(ids, index)])].map(entry)
    const top = all.sort((a, b) => b.logprob - a.logprob).slice(0, asked.topLogprobs ?? 0)
    const named = asked.logprobTokenIds !== undefined && { named: asked.logprobTokenIds.map(entry) }
    return { ...entry(ids[index]!), top, ...named }
  }

  async function* generate(request: GenerateRequest): AsyncGenerator<GenerationPiece, void, undefined> {
    checkRequest(request)
    const { adapter = null } = request
    checkAdapter(adapter)
    const run = { ids: [], adapter }
    running.add(run)
    try {
      yield* write(request, run.ids)
    } finally {
      running.delete(run)
      for (const look of ended.splice(0)) look()
    }
  }

  async function* write(request: GenerateRequest, ids: number[]): AsyncGenerator<GenerationPiece, void, undefined> {
    const all = encode(request)
    const { resumeIds = [] } = request
    ids.push(...all.slice(-(request.maxPromptTokens ?? all.length)), ...resumeIds)
    const promptTokens = ids.length
    if (promptTokens >= contextLength) throw new UsageError(`prompt: expected fewer than ${contextLength} tokens`)
    const usage: Usage = { promptTokens, completionTokens: 0 }
    if (request.promptLookup) Object.assign(usage, { draftTokens: 0, acceptedDraftTokens: 0 })
    const scope = JSON.stringify([request.adapter ?? null, request.cacheSalt ?? ''])
    usage.cachedTokens = cache.longestShared(scope, ids)
    const { inspect } = request
    if (inspect !== undefined) {
      if (inspect.end > promptTokens)
        throw new UsageError(`inspect.end: expected at most ${promptTokens}, got ${inspect.end}`)
      const rows = ids.map((_, i) => vector(ids, i, inspect.layer)).slice(inspect.begin, inspect.end)
      if (!inspect.goOn(Float32Array.from(rows.flat()))) {
        yield { text: '', tokenIds: [], finishReason: 'aborted', usage }
        return
      }
    }
    const { maxNewTokens = 256, minTokens = 0, topLogprobs, logprobTokenIds } = request
    const tellsLogprobs = request.logprobs ?? (topLogprobs !== undefined || logprobTokenIds !== undefined)
    const limit = Math.min(maxNewTokens, contextLength - promptTokens + resumeIds.length)
    const stops = new StopStrings(request.stop ?? [])
    const characters = toIds(answer(request))
    if (resumeIds.length >= limit || resumeIds.some((id) => id === 0 || stops.push(fromIds([id])).stop !== undefined))
      throw new UsageError('resumeIds: expected the beginning of a text that goes on, got one that is over')
    const choose = chooser(
      request,
      usage,
      (id) => logProb([...ids, id], ids.length),
      () => candidates([...ids, 0], ids.length),
    )
    for (let count = resumeIds.length + 1; ; count++) {
      // After its last character it makes an end token, id 0.
      const id = choose(characters[count - 1] ?? 0, count <= minTokens)
      ids.push(id)
      usage.completionTokens = count - resumeIds.length
      const isEnd = id === 0 && !request.ignoreEos
      const isStop = request.stopTokenIds?.includes(id) ?? false
      const character = isEnd || isStop || id === 0 ? '' : String.fromCodePoint(id)
      const { text, stop } = count <= minTokens ? { text: character } : stops.push(character)
      const piece: GenerationPiece = { text, tokenIds: [id] }
      if (tellsLogprobs) piece.logprobs = [describe(ids, ids.length - 1, request)]
      if (count === 1 && request.promptLogprobs) piece.promptLogprobs = placesOf(ids.slice(0, -1), request)
      if (isEnd || isStop || stop !== undefined) piece.finishReason = 'stop'
      else if (request.signal?.aborted) piece.finishReason = 'aborted'
      else if (count === limit) piece.finishReason = 'length'
      if (piece.finishReason !== undefined) {
        if (isStop || stop !== undefined) piece.stop = isStop ? id : stop!
        if (piece.finishReason === 'length') piece.limit = limit < maxNewTokens ? 'context' : 'max_new_tokens'
        cache.keep(scope, ids)
        yield { ...piece, text: text + stops.flush(), usage }
        return
      }
      yield piece
      await Promise.resolve()
    }
  }

  const placesOf = (ids: readonly number[], asked: ScoreTokensOptions, from = 1): (TokenLogProb | null)[] =>
    ids.map((_, i) => (i === 0 || i < from ? null : describe(ids, i, asked)))

  const scoreTokens = async (sequences: readonly (readonly number[])[], asked: ScoreTokensOptions = {}) => {
    checkScoring(sequences, asked)
    checkAdapter(asked.adapter)
    return sequences.map((ids, i) => placesOf(ids, asked, asked.from?.[i]))
  }

  const hidden = async (sequences: readonly (readonly number[])[], asked: HiddenOptions = {}) => {
    const { layer = layers, pooling = 'last', normalize = false } = asked
    checkHidden(sequences, asked)
    checkAdapter(asked.adapter)
    return sequences.map((ids) => {
      const rows = ids.map((_, i) => vector(ids, i, layer))
      return pool(Float32Array.from(rows.flat()), rows[0]?.length ?? 0, pooling, normalize)
    })
  }

  return {
    info,
    adapters,
    layers,
    contextLength,
    vocabSize: VOCAB_SIZE,
    canChat,
    prefixTokenId: 0,
    renderChat: (messages, chat) => textOf({ messages, addGenerationPrompt: false, ...chat }),
    ...(canChat && { chatTemplate: TEMPLATE }),
    controlTokens: [],
    namedTokens: {},
    get load() {
      const usedBlocks = Array.from(running, ({ ids }) => Math.ceil(ids.length / 16)).reduce((sum, n) => sum + n, 0)
      return { waiting: 0, running: running.size, usedBlocks, blocks: 16 * Math.ceil(contextLength / 16) }
    },
    async loadAdapter(name) {
      if (adapters.includes(name) || leaving.has(name))
        throw new UsageError(`adapter: expected a name that is free, got ${name}. Unload that one first`)
      adapters.push(name)
    },
    async unloadAdapter(name) {
      checkAdapter(name)
      adapters.splice(adapters.indexOf(name), 1)
      leaving.add(name)
      while ([...running].some(({ adapter }) => adapter === name))
        await new Promise<void>((resolve) => ended.push(resolve))
      leaving.delete(name)
    },
    encode,
    decode: (ids) => fromIds(ids.filter((id) => id !== 0)),
    endTokenIds: () => [0],
    tokenBytes: (id) => new TextEncoder().encode(id === 0 ? '' : String.fromCodePoint(id)),
    generate,
    generateAll: (requests) => Promise.all(requests.map((request) => collect(generate(request)))),
    score: async (sequences, asked: ScoreOptions = {}) =>
      (await scoreTokens(sequences, asked)).map((places) => places.map((place) => place?.logprob ?? null)),
    scoreTokens,
    hidden,
    embed: (prompts, asked) => hidden(prompts.map(encode), { ...asked, normalize: true }),
  }
}

/** Chooses a token where the model would say `wanted`: that, unless the request is against it. */
function chooser(
  request: GenerateRequest,
  usage: Usage,
  logProb: (id: number) => number,
  candidates: () => readonly number[],
): (wanted: number, isTooEarly: boolean) => number {
  const { mask, structure, presencePenalty = 0, frequencyPenalty = 0, logitBias = {}, stopTokenIds = [] } = request
  const bias = new Map(
    logitBias instanceof Map ? logitBias : Object.entries(logitBias).map(([id, by]) => [Number(id), by]),
  )
  const { accept = () => true, resumeIds = [] } = request
  if (request.accept !== undefined) usage.refusedTokens = 0
  const made: number[] = [...resumeIds]
  const text =
    structure === undefined ? undefined : new StructuredText(compileGrammar(structure, { controlTokens: new Set() }))
  text?.push(fromIds(resumeIds))
  return (wanted, isTooEarly) => {
    const allowed = mask?.(made) ?? null
    const refused = new Set<number>()
    const isAllowed = (id: number): boolean =>
      !refused.has(id) &&
      (allowed === null || hasToken(allowed, id)) &&
      (text === undefined || (id === 0 ? text.isWhole : text.allows(String.fromCodePoint(id)))) &&
      !(isTooEarly && (id === 0 || stopTokenIds.includes(id)))
    const others = [...candidates(), ...bias.keys()]
    const least = Math.max(...others.map(logProb)) // what it would say is at least as probable
    const scoreOf = (id: number): number => {
      const count = made.filter((other) => other === id).length
      const own = id === wanted ? Math.max(least, logProb(id)) : logProb(id)
      return own + (bias.get(id) ?? 0) - (count > 0 ? presencePenalty : 0) - count * frequencyPenalty
    }
    const scores = [wanted, ...others].filter(isAllowed).map((id) => ({ id, score: scoreOf(id) }))
    const ranked = scores.sort((a, b) => b.score - a.score).map((one) => one.id) // those that are as probable keep their order
    for (const id of thenAll(ranked)) {
      if (!isAllowed(id)) continue
      if (!accept(id, made)) {
        refused.add(id)
        usage.refusedTokens!++
        continue
      }
      made.push(id)
      if (id !== 0) text?.push(String.fromCodePoint(id))
      return id
    }
    throw new NoTokenError(`mask: expected a token that may come next, got none after ${made.length} tokens`)
  }
}

function* thenAll(first: readonly number[]): Generator<number, void, undefined> {
  yield* first
  for (let id = 0; id < VOCAB_SIZE; id++) yield id
}

/** The texts that were read, by what they may be shared among. */
class TextsSeen {
  readonly #texts: { scope: string; ids: readonly number[] }[] = []

  keep(scope: string, ids: readonly number[]): void {
    this.#texts.push({ scope, ids })
    if (this.#texts.length > 64) this.#texts.shift()
  }

  /** Tokens that begin a text of the same scope too; the last one is always read. */
  longestShared(scope: string, ids: readonly number[]): number {
    const lengths = this.#texts
      .filter((text) => text.scope === scope)
      .map((text) => {
        const differs = ids.findIndex((id, i) => text.ids[i] !== id)
        return differs === -1 ? ids.length : differs
      })
    return Math.min(Math.max(0, ids.length - 1), Math.max(0, ...lengths))
  }
}

/** What stands for a conversation: `role: content` on a line each, tools and documents before, variables nowhere. */
const TEMPLATE = `{%- for tool in tools or [] %}{{- 'tool: ' + tool | tojson + '\\n' }}{%- endfor %}
{%- for document in documents or [] %}{{- 'document: ' + document | tojson + '\\n' }}{%- endfor %}
{%- for message in messages %}
{{- message.role + ': ' }}{{- message.content if message.content is string else message.content | tojson }}{{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- 'assistant: ' }}{%- endif %}`

function textOf(prompt: Exclude<Prompt, { ids: readonly number[] }>): string {
  if ('prompt' in prompt) return prompt.prompt
  const { messages, tools, documents, variables, continueFinalMessage = false } = prompt
  const { addGenerationPrompt = !continueFinalMessage } = prompt
  return renderChat(TEMPLATE, { messages, tools, documents, variables, continueFinalMessage, addGenerationPrompt })
}

const toIds = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0)!)

const fromIds = (ids: readonly number[]): string => String.fromCodePoint(...ids)
