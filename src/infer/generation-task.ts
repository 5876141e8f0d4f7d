// A text that is being generated, between the scheduler, which gives it logits, and whoever waits for its pieces.

import type { GenerationPiece, PromptInspection, TokenLogProb } from '../lm/lm.ts'
import { tokenLogProbs } from './log-probs.ts'
import type { LogitRows } from './logit-rows.ts'
import { notFinite } from './sample.ts'
import type { Task } from './scheduler.ts'
import type { Sequence } from './sequence.ts'

/** One `generate`. */
export class GenerationTask implements Task {
  readonly sequence: Sequence
  readonly ids: number[]
  readonly adapter: string | null
  readonly salt: string
  /** Where the prompt begins in `ids`. */
  readonly #promptStart: number
  /** Of the prompt's tokens, where they are asked for; null before the first, and complete as soon as the sequence has them. */
  readonly #promptLogprobs: (TokenLogProb | null)[] = [null]
  #error: { cause: unknown } | undefined
  #wake: (() => void) | undefined

  /** Called once nothing more is computed for it. */
  readonly #onLeave: () => void

  inspect: PromptInspection | undefined

  /** `prefix`: ids that the model reads before the text and that are no part of it. */
  constructor(sequence: Sequence, prefix: readonly number[], onLeave: () => void, inspect?: PromptInspection) {
    const at = (place: number): number => prefix.length + place
    if (inspect !== undefined) this.inspect = { ...inspect, begin: at(inspect.begin), end: at(inspect.end) }
    this.#onLeave = onLeave
    this.sequence = sequence
    this.ids = [...prefix, ...sequence.promptIds, ...sequence.resumeIds]
    this.adapter = sequence.settings.adapter
    this.salt = sequence.settings.cacheSalt
    this.#promptStart = prefix.length
  }

  get logitsFrom(): number {
    return this.#wantsPrompt ? this.#promptStart + this.#promptLogprobs.length - 1 : this.ids.length - 1
  }

  get #wantsPrompt(): boolean {
    const { settings, promptIds } = this.sequence
    return settings.promptLogprobs && this.#promptLogprobs.length < promptIds.length
  }

  isOver(): boolean {
    this.sequence.checkSignal()
    const isOver = this.#error !== undefined || this.sequence.finishReason !== undefined
    if (isOver) this.#wake?.()
    return isOver
  }

  inspected(states: Float32Array): boolean {
    const { goOn } = this.inspect!
    this.inspect = undefined
    if (goOn(states)) return true
    this.sequence.abort()
    this.#wake?.()
    return false
  }

  begin(cached: number): void {
    this.sequence.cachedTokens = Math.max(0, cached - this.#promptStart)
  }

  draft(): readonly number[] {
    return this.sequence.draft()
  }

  take(logits: LogitRows, row: number, count: number, place: number, drafts: readonly number[]): void {
    const read = Math.min(count, this.ids.length - 1 - place) // places of the prompt, whose next token is known
    if (read > 0) {
      const next = this.ids.slice(place + 1, place + 1 + read)
      this.#promptLogprobs.push(...tokenLogProbs(logits.tensor.narrow(0, row, read), next, this.sequence.settings))
    }
    if (read === count) return
    const { sequence } = this
    if (sequence.settings.promptLogprobs && sequence.tokenCount === 0) sequence.promptLogprobs = this.#promptLogprobs
    sequence.follow(drafts, (i) => {
      const at = row + read + i
      if (sequence.needsLogits) sequence.choose(logits.row(at), logits.tensor.narrow(0, at, 1))
      else {
        const { value, id } = logits.top(at)
        if (!Number.isFinite(value)) throw notFinite(value)
        sequence.accept(id)
      }
      this.ids.push(sequence.lastId)
    })
    this.#wake?.()
  }

  fail(error: unknown): void {
    this.#error = { cause: error }
    this.#wake?.()
  }

  leave(): void {
    this.#onLeave()
  }

  /** The pieces as they come; throws what the task failed with. */
  async *pieces(): AsyncGenerator<GenerationPiece, void, undefined> {
    for (;;) {
      const piece = this.sequence.take()
      if (piece !== undefined) yield piece
      if (piece?.finishReason !== undefined) return
      if (this.#error !== undefined) throw this.#error.cause
      if (this.sequence.hasNews || this.isOver()) continue
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
