// What is on record of one call of a model, and of a program.

import type { ModelAnswer, ModelCall, ModelSetup } from './model-call.ts'

/** What somebody on the way decided or met: a router, a guard, a cache, the way to a service. `by` says who. */
export interface TraceNote {
  readonly by: string
  readonly [what: string]: unknown
}

/** One call of a model. A wrapper's calls of the models below it are calls too, and name it as their `parent`. */
export interface TracedCall {
  /** Its place in `calls`: they stand in the order in which they began. */
  readonly id: number
  /** The call of a wrapper in which it was made. */
  readonly parent?: number
  /** The programs that it was made in, the outermost first. */
  readonly path: readonly string[]
  readonly model: string
  /** It passed the call on, as a wrapper, or answered from what it knew: it read nothing and cost nothing itself. */
  readonly isWrapper?: true
  /** What the answer depends on besides the call, where the model tells it. */
  readonly setup?: ModelSetup
  /** What was asked, with the seed that it was drawn with, without its signal. */
  readonly call: ModelCall
  /** The very text that the model read, and its ids, where the model tells them. In a dry run those of wrappers too. */
  readonly text?: string
  readonly ids?: readonly number[]
  /** What came; in a dry run what stands for it; with `finishReason: 'aborted'` what had come until nobody listened. Undefined where it failed. */
  readonly answer?: ModelAnswer
  /** For a call of `logprobs`: the texts that were asked about, with their log-probabilities. */
  readonly scores?: Readonly<Record<string, number>>
  /** Why it failed, or why its answer was not good enough and was asked for again. */
  readonly fault?: string
  /** The call whose answer was refused, so that it was asked again with this one. */
  readonly again?: number
  /** What was decided and met on the way, in order. */
  readonly notes?: readonly TraceNote[]
  /** By the model's prices, where they are given. */
  readonly cost?: number
  /** Milliseconds since the trace began, until the first piece came, and until it was over. */
  readonly at: number
  readonly first?: number
  readonly took: number
}

/** What a program asked. */
export interface Trace {
  readonly calls: readonly TracedCall[]
  /** When it began, in milliseconds since 1970. */
  readonly began: number
  /** Why the program failed, if it did. */
  readonly fault?: string
  /** No model was asked: the answers are made up. */
  readonly isDry?: true
}
