// Tokens of a request in the shape that OpenAI's clients read; a prompt counts once, however many texts it has.

import type { Usage } from '../lm/lm.ts'
import type { RequestTrace } from './request-trace.ts'

/** `usage` of an answer. */
export interface ApiUsage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details: { cached_tokens: number }
  completion_tokens_details: {
    reasoning_tokens: number
    accepted_prediction_tokens: number
    rejected_prediction_tokens: number
  }
}

/** Adds up the texts of one request. */
export class UsageCount {
  readonly #prompts = new Map<number, { read: number; cached: number; isKnown: boolean }>()
  #made = 0
  #reasoning = 0
  #drafts = 0
  #accepted = 0

  /** Prompt `prompt` is so long, which is known before one of its texts has ended. */
  reads(prompt: number, tokens: number): void {
    this.#prompts.set(prompt, { read: tokens, cached: 0, isKnown: false })
  }

  /** A text of prompt `prompt` has ended. */
  add(prompt: number, usage: Usage & { reasoningTokens?: number }): void {
    this.#made += usage.completionTokens
    this.#end(prompt, usage)
  }

  /** A piece of a text has come. */
  piece(
    prompt: number,
    { tokenIds, usage }: { tokenIds: readonly number[]; usage?: Usage & { reasoningTokens?: number } },
  ): void {
    this.#made += tokenIds.length
    if (usage !== undefined) this.#end(prompt, usage)
  }

  #end(
    prompt: number,
    { promptTokens, cachedTokens = 0, reasoningTokens = 0, ...drafts }: Usage & { reasoningTokens?: number },
  ): void {
    // The other texts of a prompt find it in the cache: what counts is what the first one to read it found.
    const before = this.#prompts.get(prompt)
    const cached = before?.isKnown ? Math.min(cachedTokens, before.cached) : cachedTokens
    this.#prompts.set(prompt, { read: promptTokens, cached, isKnown: true })
    this.#reasoning += reasoningTokens
    this.#drafts += drafts.draftTokens ?? 0
    this.#accepted += drafts.acceptedDraftTokens ?? 0
  }

  /** What is known so far. */
  get now(): ApiUsage {
    const prompts = [...this.#prompts.values()]
    const read = prompts.reduce((sum, prompt) => sum + prompt.read, 0)
    return {
      prompt_tokens: read,
      completion_tokens: this.#made,
      total_tokens: read + this.#made,
      prompt_tokens_details: { cached_tokens: prompts.reduce((sum, { cached }) => sum + cached, 0) },
      completion_tokens_details: {
        reasoning_tokens: this.#reasoning,
        accepted_prediction_tokens: this.#accepted,
        rejected_prediction_tokens: this.#drafts - this.#accepted,
      },
    }
  }

  /** All of it, which the request's trace hears too. */
  told(trace: RequestTrace): ApiUsage {
    const all = this.now
    trace.promptTokens = all.prompt_tokens
    trace.cachedTokens = all.prompt_tokens_details.cached_tokens
    return all
  }
}
