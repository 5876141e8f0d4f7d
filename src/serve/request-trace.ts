// What is known of one request while it is answered: for the metrics, and for its line in the log.

import type { FinishReason, Usage } from '../lm/lm.ts'
import type { ApiError } from './api-error.ts'
import type { LogEntry } from './log.ts'
import type { ServerMetrics } from './metrics.ts'

/** What pieces of texts and of answers have in common. */
export interface TracedPiece {
  tokenIds: readonly number[]
  finishReason?: FinishReason | 'tool_calls'
  usage?: Usage
}

/** Where a trace goes when its request is over. */
export interface TraceSinks {
  metrics: ServerMetrics
  log?: ((entry: LogEntry) => void) | undefined
}

/** The course of one request; times in seconds. */
export class RequestTrace {
  readonly id: string
  readonly method: string
  readonly #sinks: TraceSinks
  readonly #began: number = performance.now()
  readonly #last = new Map<number, number>()
  #isOver = false
  /** The path as the server knows it; `-` for one that it does not. */
  route = '-'
  key: string | undefined
  model: string | undefined
  status = 0
  error: ApiError | undefined
  /** The answer goes on after its headers. */
  isStreaming = false
  /** Its client went away, or stopped reading. */
  isAborted = false
  queueSeconds: number | undefined
  firstTokenSeconds: number | undefined
  promptTokens = 0
  cachedTokens = 0
  completionTokens = 0
  readonly finishReasons: string[] = []

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
    this.#sinks.metrics.requestQueueTime.observe(seconds)
  }

  /** A piece of its text `index` has come. */
  piece(index: number, { tokenIds, finishReason, usage }: TracedPiece): void {
    if (tokenIds.length > 0) {
      const now = performance.now()
      const last = this.#last.get(index)
      if (this.firstTokenSeconds === undefined) {
        this.firstTokenSeconds = this.seconds
        this.#sinks.metrics.timeToFirstToken.observe(this.firstTokenSeconds)
      } else if (last !== undefined)
        this.#sinks.metrics.interTokenLatency.observe((now - last) / 1000 / tokenIds.length)
      this.#last.set(index, now)
    }
    if (finishReason !== undefined) this.finishReasons[index] = finishReason
    if (usage !== undefined) this.completionTokens += usage.completionTokens
  }

  /** It is over: the metrics and the log hear of it, once. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
  }
}
