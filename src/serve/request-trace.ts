// What is known of one request while it is answered: for the metrics, and for its line in the log.

import type { FinishReason, Usage } from '../lm/lm.ts'
import type { ApiError } from './api-error.ts'
import type { Metrics } from './metrics.ts'

/** What pieces of texts and of answers have in common. */
export interface TracedPiece {
  tokenIds: readonly number[]
  /** What was written: of a text, or of an answer in its parts. */
  text?: string
  deltas?: readonly { text?: string; name?: string }[]
  finishReason?: FinishReason | 'tool_calls' | 'content_filter'
  usage?: Usage
}

/** What is told of a request when it is over; times in seconds. */
export interface RequestSummary {
  readonly id: string
  readonly method: string
  /** The path as the server knows it, such as `/v1/models/:id`; `-` for one that it does not. */
  readonly route: string
  readonly status: number
  /** What its key is called. */
  readonly key: string | undefined
  readonly model: string | undefined
  /** Why it failed; with a status of 200 that was after its stream began. */
  readonly error: ApiError | undefined
  /** Its client went away, or stopped reading. */
  readonly isAborted: boolean
  readonly seconds: number
  readonly queueSeconds: number | undefined
  readonly firstTokenSeconds: number | undefined
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  /** Of each of its texts. */
  readonly finishReasons: readonly string[]
  /** What was asked, as it came; undefined where no body was read. */
  readonly request: unknown
  /** What was answered: of each of its texts, what was written. */
  readonly response: readonly string[]
}

/** Where a trace goes when its request is over. */
export interface TraceSinks {
  metrics: Metrics
  log?: ((request: RequestSummary) => void) | undefined
}

/** The course of one request. */
export class RequestTrace implements RequestSummary {
  readonly id: string
  readonly method: string
  readonly #sinks: TraceSinks
  readonly #began: number = performance.now()
  readonly #last = new Map<number, number>()
  #isOver = false
  route = '-'
  key: string | undefined
  model: string | undefined
  status = 0
  error: ApiError | undefined
  /** The answer goes on after its headers. */
  isStreaming = false
  isAborted = false
  queueSeconds: number | undefined
  firstTokenSeconds: number | undefined
  promptTokens = 0
  cachedTokens = 0
  completionTokens = 0
  readonly finishReasons: string[] = []
  request: unknown
  readonly response: string[] = []

  constructor(id: string, method: string, sinks: TraceSinks) {
    this.id = id
    this.method = method
    this.#sinks = sinks
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000
  }

  /** It has waited so long until there was room. */
  admitted(seconds: number): void {
    this.queueSeconds = seconds
    this.#sinks.metrics.queued(seconds)
  }

  /** A piece of its text `index` has come. */
  piece(index: number, { tokenIds, finishReason, usage, text, deltas = [] }: TracedPiece): void {
    const { metrics, log } = this.#sinks
    for (const part of log === undefined ? [] : [text, ...deltas.map((delta) => delta.text ?? delta.name)])
      if (part !== undefined) this.response[index] = (this.response[index] ?? '') + part
    if (tokenIds.length > 0) {
      const now = performance.now()
      const last = this.#last.get(index)
      if (this.firstTokenSeconds === undefined) {
        this.firstTokenSeconds = this.seconds
        metrics.first(this.firstTokenSeconds)
      } else if (last !== undefined) metrics.next((now - last) / 1000, tokenIds.length)
      this.#last.set(index, now)
    }
    if (finishReason === undefined || usage === undefined) return
    this.finishReasons[index] = finishReason
    this.completionTokens += usage.completionTokens
    metrics.ended(finishReason, usage, this.seconds)
  }

  /** Texts were read and none written. */
  read(promptTokens: number): void {
    this.promptTokens = promptTokens
    this.#sinks.metrics.read(promptTokens)
  }

  /** It is over: the metrics and the log hear of it, once. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    const { metrics, log } = this.#sinks
    metrics.answered(this.method, this.route, this.status)
    if (this.isStreaming && this.error !== undefined) metrics.failed(this.error.status)
    try {
      log?.(this)
    } catch {
      // A request is answered whether or not it could be written down.
    }
  }
}
