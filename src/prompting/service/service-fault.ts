// What goes wrong with a service, as those who call it are told: a status of HTTP, a word for programs, one line for people.

import { AnnealError, InputError, messageOf, OutOfMemoryError, UnsupportedError } from '../../errors.ts'
import { ServiceError } from '../base/dialect.ts'
import { AnswerError } from '../base/model.ts'
import { AgentError } from '../execute/agent.ts'

/** A word for each kind of fault. */
export type FaultCode =
  | 'invalid_input'
  | 'invalid_output'
  | 'not_found'
  | 'busy'
  | 'timeout'
  | 'unsupported'
  | 'model_failed'
  | 'refused'
  | 'failed'

/** A call of a service that gave no output. */
export class ServiceFault extends AnnealError {
  override readonly exitCode: number
  /** Of HTTP. */
  readonly status: number
  readonly code: FaultCode
  /** Where in the input, such as `items.0.name`. */
  readonly field: string | undefined
  /** Seconds after which another try may be worth it. */
  readonly retryAfter: number | undefined

  constructor(
    status: number,
    code: FaultCode,
    message: string,
    { field, retryAfter, ...options }: ErrorOptions & { field?: string | undefined; retryAfter?: number } = {},
  ) {
    super(message, options)
    this.status = status
    this.code = code
    this.field = field
    this.retryAfter = retryAfter
    this.exitCode = code === 'invalid_input' ? 2 : 1
  }
}

/**
 * Any error of a program as a fault. What models and services behind it did is a bad gateway's (502, 503); what the program throws with
 * a `status` from 400 to 499 is what it says; of other errors that are not ours, nobody outside hears more than that there was one.
 */
export function faultOf(error: unknown, name: string): ServiceFault {
  if (error instanceof ServiceFault) return error
  const failed = (status: number, code: FaultCode, more?: { retryAfter: number }): ServiceFault =>
    new ServiceFault(status, code, `${name}: ${messageOf(error)}`, { cause: error, ...more })
  if (error instanceof ServiceError)
    return error.status === 429 || error.status === 503
      ? failed(503, 'model_failed', { retryAfter: 1 })
      : failed(502, 'model_failed')
  if (error instanceof AnswerError || error instanceof AgentError) return failed(502, 'model_failed')
  if (error instanceof UnsupportedError) return failed(501, 'unsupported')
  if (error instanceof OutOfMemoryError) return failed(503, 'failed', { retryAfter: 1 })
  if (error instanceof InputError) return failed(422, 'refused')
  if (error instanceof AnnealError) return failed(500, 'failed')
  const { status } = (error ?? {}) as { status?: unknown }
  if (error instanceof Error && typeof status === 'number' && status >= 400 && status < 500)
    return failed(Math.floor(status), 'refused')
  return new ServiceFault(500, 'failed', `${name}: it met an error of its own; the log of the server has more`, {
    cause: error,
  })
}
