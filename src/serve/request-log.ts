// What happened to each request, as a line of JSON at its end. Texts of people are left out unless they are asked for, and a log that
// cannot be written stops nothing.

import type { Writable } from 'node:stream'
import { messageOf } from '../errors.ts'
import { printable } from '../printable.ts'
import type { ApiError } from './api-error.ts'
import type { RequestSummary } from './request-trace.ts'

export interface RequestLogOptions {
  /** Takes a line with its line feed; what it throws is ignored. Default: the standard error stream. */
  write?: (line: string) => void
  /** Writes what was asked and answered, and messages of errors that may quote it. Default false. */
  contents?: boolean
}

/** Writes a line for each request; of an ApiError below 500, whose message may quote the request, `param` and `code` alone. */
export class RequestLog {
  private readonly write: (line: string) => void
  private readonly contents: boolean

  constructor({ write = lineWriter(process.stderr), contents = false }: RequestLogOptions = {}) {
    this.write = write
    this.contents = contents
  }

  add(summary: RequestSummary): void {
    const { id, method, route, status, model, key, error, request, response, finishReasons } = summary
    const line = {
      time: new Date().toISOString(),
      id: shortened(id),
      method: shortened(method),
      route: shortened(route),
      status,
      model: shortened(model),
      key: shortened(key),
      // Requests that read or wrote nothing have no counts.
      prompt_tokens: summary.promptTokens || undefined,
      cached_tokens: summary.cachedTokens || undefined,
      completion_tokens: summary.completionTokens || undefined,
      queue_seconds: rounded(summary.queueSeconds),
      first_token_seconds: rounded(summary.firstTokenSeconds),
      seconds: rounded(summary.seconds),
      ...(finishReasons.length > 0 && { finish_reasons: finishReasons }),
      ...(summary.isAborted && { aborted: true }),
      ...(error !== undefined && this.fault(error)),
      ...(this.contents && { request, response }),
    }
    try {
      this.write(`${jsonLine(line)}\n`)
    } catch {
      // Nowhere is left to say it.
    }
  }

  private fault(error: ApiError): Record<string, unknown> {
    // One of 503 that has no cause was told whole: nothing is wrong with a server that is about to stop.
    if (error.status < 500 || (error.status === 503 && error.cause === undefined)) {
      const { code, param, message } = error
      return {
        ...(code && { code }),
        ...(param && { param: shortened(param) }),
        ...(this.contents && { error: message }),
      }
    }
    // The client heard only that there was one.
    const cause = error.cause ?? error
    return { error: messageOf(cause), ...(cause instanceof Error && { stack: cause.stack }) }
  }
}

/** Of what waits for a slow disk or pipe; lines beyond are left out and counted. */
const WAITING_BYTES = 2 ** 20

/** Writes lines to a stream, which may close, break or be slow: then lines are missing, and the next that gets through says how many. */
export function lineWriter(stream: Writable): (line: string) => void {
  let dropped = 0
  // Without a listener a closed pipe or a full disk ends the process.
  stream.on('error', () => {})
  return (line) => {
    if (stream.destroyed || !stream.writable || stream.writableLength > WAITING_BYTES) {
      dropped++
      return
    }
    const note = dropped === 0 ? '' : `${jsonLine({ time: new Date().toISOString(), dropped_lines: dropped })}\n`
    dropped = 0
    stream.write(note + line)
  }
}

/** JSON that neither a terminal obeys nor a reader of lines takes for two. */
function jsonLine(value: unknown): string {
  try {
    return printable(JSON.stringify(value))
  } catch {
    return JSON.stringify({ time: new Date().toISOString(), error: 'a record that no JSON can hold' })
  }
}

/** Callers choose some of these. */
function shortened<T extends string | undefined>(text: T): T | string {
  return text !== undefined && text.length > 200 ? `${text.slice(0, 200).toWellFormed()}…` : text
}

const rounded = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : Math.round(seconds * 1e6) / 1e6
