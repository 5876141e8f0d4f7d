// Errors as OpenAI's clients read them: a status, and `{ error: { message, type, param, code } }`.

import { AnnealError, ConfigError, InputError, messageOf, OutOfMemoryError, UsageError } from '../errors.ts'

/** What an `ApiError` has besides its status and message. */
export interface ApiErrorOptions extends ErrorOptions {
  /** The field of the request that is wrong. */
  param?: string
  /** A word for programs, such as `context_length_exceeded`. */
  code?: string
  headers?: Readonly<Record<string, string>>
}

/** An answer that is an error. */
export class ApiError extends AnnealError {
  readonly status: number
  readonly param: string | null
  readonly code: string | null
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, { param, code, headers = {}, ...options }: ApiErrorOptions = {}) {
    super(message, options)
    this.status = status
    this.param = param ?? null
    this.code = code ?? null
    this.headers = headers
  }

  /** OpenAI's word for the kind of error. */
  get type(): string {
    return TYPES[this.status] ?? (this.status >= 500 ? 'server_error' : 'invalid_request_error')
  }

  /** The object of the answer, and of an event that ends a stream. */
  toJSON(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    const { message, type, param, code } = this
    return { error: { message, type, param, code } }
  }

  toResponse(): Response {
    return Response.json(this, { status: this.status, headers: this.headers })
  }
}

/** What a request says, in quotes and cut, for a message of one line. */
export const brief = (text: string): string =>
  JSON.stringify((text.length > 200 ? `${text.slice(0, 200)}…` : text).toWellFormed())

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
}

/** Any error as one. What the request is to blame for says what was wrong; of our own faults nobody outside hears more than that there was one. */
export function apiErrorOf(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  if (cause instanceof UsageError || cause instanceof InputError || cause instanceof ConfigError) {
    const message = messageOf(cause)
    const isTooLong = /^prompt: expected at most \d+ tokens/.test(message)
    const [, name] = /^`?(\w+)(?:\[\d+\])?`?(?: \/\S*)?: /.exec(message) ?? []
    const field = name === undefined ? undefined : fieldOf(name)
    const param = field ?? STRUCTURES.find(([beginning]) => beginning.test(message))?.[1]
    return new ApiError(400, field === undefined ? message : message.replace(name!, field), {
      cause,
      ...(isTooLong && { code: 'context_length_exceeded' }),
      ...(param !== undefined && { param }),
    })
  }
  if (cause instanceof OutOfMemoryError)
    return new ApiError(503, 'memory: expected room for this request, got none. Make it smaller, or try again later', {
      cause,
    })
  return new ApiError(500, 'The server met an error of its own; its log has more', { cause })
}

/** How messages about structures begin that name a place within them in front of the colon. */
const STRUCTURES: readonly (readonly [RegExp, string])[] = [
  [/^regular expression /, 'regex'],
  [/^grammar:\d+/, 'grammar'],
]

/** What a field of `GenerateOptions` is called in a request. */
function fieldOf(name: string): string {
  return name === 'maxNewTokens' || name === 'max_new_tokens'
    ? 'max_tokens'
    : name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
