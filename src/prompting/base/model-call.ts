// One call of a model, whatever is behind it, and what comes of it.

import type { ChatAnswer, ChatPiece, ChatUsage } from '../../chat/answer.ts'
import type { ChatRequest, Tool, ToolChoice } from '../../chat/request.ts'
import type { Structure } from '../../grammar/grammar.ts'
import type { PromptInspection } from '../../lm/lm.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import type { Constraint } from './constraint.ts'

/** How an answer is made. What is left out is the model's own. */
export interface ModelSettings {
  /** Tokens of the answer at most. */
  maxTokens?: number
  temperature?: number
  topP?: number
  /** Same seed, same answer, where the model keeps seeds. Default: one is drawn, and traces tell it. */
  seed?: number
  /** Texts that end the answer. */
  stop?: readonly string[]
  /** The log-probability of each token, as `tokens` of the answer, where the model tells them. Traces have them. */
  logprobs?: boolean
  /** Besides, so many of the most probable tokens at each place. */
  topLogprobs?: number
  signal?: AbortSignal
}

/** The names of all settings but the signal. */
export const SETTINGS: Readonly<Record<keyof Omit<ModelSettings, 'signal'>, true>> = {
  maxTokens: true,
  temperature: true,
  topP: true,
  seed: true,
  stop: true,
  logprobs: true,
  topLogprobs: true,
}

/** What one call asks. */
export interface ModelCall extends ModelSettings {
  /** The same as `seed` where nobody gave one and it was drawn. */
  readonly drawnSeed?: number
  readonly messages: readonly ChatMessage[]
  readonly tools?: readonly Tool[]
  readonly toolChoice?: ToolChoice
  /** What the answer's text has to be. */
  readonly structure?: Structure
  /** The last message is the beginning of the answer and is gone on with. Of backends that `continues` only. */
  readonly continueFinalMessage?: boolean
  /** Looks at the prompt between two blocks; of models in this process only, others know nothing of it. */
  readonly inspect?: PromptInspection
  /** What it has to keep to besides. */
  readonly where?: readonly Constraint[]
}

/** What the answers of a model depend on besides the call. */
export interface ModelSetup extends Pick<ChatRequest, 'adapter' | 'variables' | 'promptLookup'> {
  /** Whose words are spoken: `anneal` in this process, else the dialect. */
  provider?: string
  /** Which version of the model it is. */
  revision?: string
}

/** A token of an answer as text, the natural logarithm of its probability, and what else might have stood there. */
export interface AnswerToken {
  readonly token: string
  readonly logprob: number
  readonly top: readonly { readonly token: string; readonly logprob: number }[]
}

/** Where an answer was made before and is given again; nothing was read or made for it now. */
export interface CacheHit {
  /** `exact`: for the very same call; `semantic`: for `question`, which is alike. */
  kind: 'exact' | 'semantic'
  question?: string
  /** Cosine of the two questions' vectors. */
  similarity?: number
  /** What the answer cost when it was made. */
  usage: ChatUsage
}

/** A part of an answer; `tokens` where log-probabilities were asked for, `cached` in the first one. */
export interface ModelPiece extends ChatPiece {
  /** In the last piece only: the first of `where` that the text does not keep to. */
  unkept?: string
  tokens?: readonly AnswerToken[]
  cached?: CacheHit
}

/** A whole answer. */
export interface ModelAnswer extends ChatAnswer {
  /** The first of `where` that the text does not keep to. */
  unkept?: string
  tokens?: readonly AnswerToken[]
  cached?: CacheHit
}
