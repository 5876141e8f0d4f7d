// What evaluation asks of a model, whatever it is: an `Lm` (lm-model.ts) or a server (server-model.ts).

import type { RenderChat } from './prompt.ts'
import type { EvalRequest } from './requests.ts'

/** What a model answers to a request. Log-likelihoods are natural logarithms, summed over tokens. */
export interface Answer {
  /** Of `loglikelihood` and `loglikelihood_rolling`. */
  sum?: number
  /** Of `loglikelihood`: whether every token of the continuation is the most probable one. */
  isGreedy?: boolean
  /** Of `loglikelihood`: the tokens that `sum` is over. */
  tokens?: number
  /** Of `generate_until`. */
  text?: string
  /** Tokens of the context that did not fit into the model's window and were left out at its beginning. */
  truncated?: number
  /** A token spans the end of the context and the beginning of the continuation, and counts as the context's. */
  isJoined?: true
  /** There is no answer, and why. Such a document has no score: it is counted, and it is not wrong. */
  failed?: string
}

/** A model that answers. */
export interface EvalModel {
  /** The name it is known under, in results. */
  readonly name: string
  /** What makes it this model and no other: answers are kept under it. */
  readonly identity: string
  /** Tokens that it sees at once, where that is known. */
  readonly contextLength?: number | undefined
  /** Chats as it reads them; absent where it has no chat template. */
  readonly renderChat?: RenderChat | undefined
  /** The tokens of a text without control tokens around it; absent where they are not known. */
  readonly encode?: ((text: string) => number[]) | undefined
  /** What `results_*.json` tells of it besides. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Answers all requests, in any order, each with one call of `take`. */
  answer(requests: readonly EvalRequest[], options: AnswerOptions): Promise<void>
}

/** Who hears of answers, and how the work is stopped. */
export interface AnswerOptions {
  take: (index: number, answer: Answer) => void
  /** Begins the seeds of what is drawn where a task samples. */
  seed: number
  signal?: AbortSignal | undefined
}
