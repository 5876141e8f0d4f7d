// What a program without a type checker gets wrong in what it asks of an `Lm`: names that nobody reads, no prompt or two of them, one
// text where a list belongs (whose letters would each be a stop string).
import { UsageError } from '../errors.ts'
import { checkOptionNames } from '../option-names.ts'
import type { GenerateRequest, HiddenOptions, Prompt, PromptInspection, ScoreTokensOptions } from './lm.ts'

type KeyOf<T> = T extends unknown ? keyof T : never
type Names<T> = Readonly<Record<KeyOf<T>, true>>

const PROMPTS = { prompt: 'a text', messages: 'a list of messages', ids: 'a list of token ids' } as const
const LISTS = ['stop', 'stopTokenIds', 'logprobTokenIds', 'resumeIds'] as const

const REQUEST: Names<GenerateRequest> = {
  prompt: true,
  addSpecialTokens: true,
  allowSpecial: true,
  messages: true,
  tools: true,
  documents: true,
  variables: true,
  addGenerationPrompt: true,
  continueFinalMessage: true,
  ids: true,
  maxNewTokens: true,
  temperature: true,
  topK: true,
  topP: true,
  minP: true,
  repetitionPenalty: true,
  presencePenalty: true,
  frequencyPenalty: true,
  logitBias: true,
  mask: true,
  accept: true,
  inspect: true,
  resumeIds: true,
  structure: true,
  seed: true,
  stop: true,
  stopTokenIds: true,
  minTokens: true,
  ignoreEos: true,
  skipSpecialTokens: true,
  logprobs: true,
  topLogprobs: true,
  logprobTokenIds: true,
  promptLogprobs: true,
  adapter: true,
  promptLookup: true,
  cacheSalt: true,
  maxPromptTokens: true,
  signal: true,
}

/** What OpenAI and vLLM call some of them; names that differ in spelling alone are found without. */
const ELSEWHERE = {
  max_tokens: 'maxNewTokens',
  maxTokens: 'maxNewTokens',
  max_completion_tokens: 'maxNewTokens',
  allowed_token_ids: 'mask',
  structured_outputs: 'structure',
  truncate_prompt_tokens: 'maxPromptTokens',
  chat_template_kwargs: 'variables',
  response_format: 'structure',
  stop_sequences: 'stop',
} as const

const SCORE: Names<ScoreTokensOptions> = {
  window: true,
  from: true,
  adapter: true,
  cacheSalt: true,
  signal: true,
  onProgress: true,
  topLogprobs: true,
  logprobTokenIds: true,
}

const HIDDEN: Names<HiddenOptions> = { layer: true, pooling: true, normalize: true, adapter: true, signal: true }

/** UsageError unless `request` has one prompt, and options that there are. Their values are checked where they are used. */
export function checkRequest(request: GenerateRequest): void {
  checkPrompt(request)
  checkOptionNames('generate', request, REQUEST, ELSEWHERE)
  for (const name of LISTS) checkList(name, request[name])
  const { maxPromptTokens: most = 1 } = request
  if (!(Number.isSafeInteger(most) && most >= 1))
    throw new UsageError(`maxPromptTokens: expected a whole number of at least 1, got ${brief(most)}`)
  if (request.accept !== undefined && typeof request.accept !== 'function')
    throw new UsageError(`accept: expected a function, got ${brief(request.accept)}`)
  if (request.inspect !== undefined) checkInspection(request.inspect, request.maxPromptTokens)
  if (request.resumeIds !== undefined && request.promptLogprobs)
    throw new UsageError('promptLogprobs: expected them without `resumeIds`, got both. Score the whole text')
  for (const other of ['mask', 'ignoreEos'] as const)
    if (request.structure !== undefined && request[other])
      throw new UsageError(`structure: expected it without \`${other}\`, got both`)
}

function checkInspection({ layer, begin, end, goOn }: PromptInspection, most: number | undefined): void {
  if (typeof goOn !== 'function') throw new UsageError(`inspect.goOn: expected a function, got ${brief(goOn)}`)
  if (!(Number.isInteger(begin) && Number.isInteger(end) && begin >= 0 && begin < end))
    throw new UsageError(`inspect: expected whole numbers 0 ≤ begin < end, got ${brief(begin)} and ${brief(end)}`)
  if (!(Number.isInteger(layer) && layer >= 0))
    throw new UsageError(`inspect.layer: expected a whole number of at least 0, got ${brief(layer)}`)
  if (most !== undefined) throw new UsageError('inspect: expected it without `maxPromptTokens`, got both')
}

/** UsageError unless it is one of the three kinds of prompt. */
export function checkPrompt(prompt: Prompt): void {
  const isObject = typeof prompt === 'object' && prompt !== null
  const kinds = isObject ? (['prompt', 'messages', 'ids'] as const).filter((kind) => kind in prompt) : []
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1)
    throw new UsageError(
      `prompt: expected an object with one of prompt, messages and ids, got ${kinds.join(' and ') || brief(prompt)}`,
    )
  const value = (prompt as Record<string, unknown>)[kind]
  const isRight =
    kind === 'prompt'
      ? typeof value === 'string'
      : Array.isArray(value) || (kind === 'ids' && ArrayBuffer.isView(value))
  if (!isRight) throw new UsageError(`${kind}: expected ${PROMPTS[kind]}, got ${brief(value)}`)
  if (kind === 'messages') for (const [i, message] of (value as unknown[]).entries()) checkMessage(message, i)
}

/** A template that meets such a message blames itself. What else may be in it is the template's matter. */
function checkMessage(message: unknown, index: number): void {
  const { role, content } = (message ?? {}) as Record<string, unknown>
  if (typeof role !== 'string' || role === '')
    throw new UsageError(`messages[${index}]: expected an object with a role such as "user", got ${brief(message)}`)
  if (content != null && typeof content !== 'string' && !Array.isArray(content))
    throw new UsageError(`messages[${index}].content: expected a text, got ${brief(content)}`)
}

/** UsageError unless these are lists of token ids and options of `score` or `scoreTokens`. */
export function checkScoring(sequences: readonly (readonly number[])[], options: ScoreTokensOptions): void {
  checkSequences(sequences)
  checkOptionNames('score', options, SCORE)
  checkList('logprobTokenIds', options.logprobTokenIds)
}

/** The same for `hidden`. */
export function checkHidden(sequences: readonly (readonly number[])[], options: HiddenOptions): void {
  checkSequences(sequences)
  checkOptionNames('hidden', options, HIDDEN)
}

function checkSequences(sequences: readonly (readonly number[])[]): void {
  const wrong = Array.isArray(sequences) ? sequences.find((ids) => !isList(ids)) : sequences
  if (wrong !== undefined || !Array.isArray(sequences))
    throw new UsageError(`sequences: expected lists of token ids, [[1, 2, …], …], got ${brief(wrong)}`)
}

function checkList(name: string, value: unknown): void {
  if (value !== undefined && !isList(value)) throw new UsageError(`${name}: expected a list, got ${brief(value)}`)
}

const isList = (value: unknown): boolean => Array.isArray(value) || ArrayBuffer.isView(value)
const brief = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 40)
