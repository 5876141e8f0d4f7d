// What two services say differently.

import { AnnealError } from '../../errors.ts'
import type { ModelCall, ModelPiece } from './model-call.ts'

/** How a service says a call, and what its events mean. */
export interface Dialect {
  readonly path: string
  readonly keyName: string
  /** Whether it has words for log-probabilities. */
  readonly tellsLogprobs: boolean
  headers(key: string | undefined): Record<string, string>
  body(call: ModelCall, model: string): Record<string, unknown>
  /** The pieces of a stream of events; ends with a finish reason. */
  pieces(events: AsyncIterable<unknown>, call: ModelCall): AsyncIterable<ModelPiece>
}

/** A service that does not answer as it should. `status`: of HTTP, where there was one. */
export class ServiceError extends AnnealError {
  readonly status: number | undefined
  constructor(message: string, { status, ...options }: ErrorOptions & { status?: number | undefined } = {}) {
    super(message, options)
    this.status = status
  }
}
