// What two services say differently.

import { AnnealError } from '../../errors.ts'
import type { ModelCall, ModelPiece } from './model-call.ts'

/** How a service says a call, and what its events mean. */
export interface Dialect {
  readonly path: string
  readonly keyName: string
  /** Whether it has words for log-probabilities. */
  readonly tellsLogprobs: boolean
  /** Whether it has one for a seed; where not, a trace says that it was left out. */
  readonly takesSeed: boolean
  headers(key: string | undefined): Record<string, string>
  body(call: ModelCall, model: string): Record<string, unknown>
  /** The pieces of a stream of events; ends with a finish reason. */
  pieces(events: AsyncIterable<unknown>, call: ModelCall): AsyncIterable<ModelPiece>
}

/** A service that does not answer as it should. `status`: of HTTP, or what an error within a stream stands for. */
export class ServiceError extends AnnealError {
  readonly status: number | undefined
  constructor(message: string, { status, ...options }: ErrorOptions & { status?: number | undefined } = {}) {
    super(message, options)
    this.status = status
  }
}

/** What the names of errors within streams stand for. */
const STATUS: Readonly<Record<string, number>> = {
  overloaded_error: 529,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  api_error: 500,
  server_error: 500,
}

/** The error for one within a stream: with a status that is worth another try only where it says so. */
export function streamError({
  message,
  type,
  code,
}: {
  message?: string
  type?: unknown
  code?: unknown
}): ServiceError {
  const status = Number.isInteger(Number(code ?? Number.NaN))
    ? Number(code)
    : (STATUS[String(code)] ?? STATUS[String(type)] ?? 400)
  return new ServiceError(`stream: expected an answer, got an error: ${message}`, { status })
}
