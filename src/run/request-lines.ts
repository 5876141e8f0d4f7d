// Where the lines of a server's log go: standard error, or a file that is only ever appended to.
import { createWriteStream, openSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { lineWriter, RequestLog } from '../serve/request-log.ts'
import type { RequestSummary } from '../serve/request-trace.ts'

/** A log of requests, one line of JSON each. */
export interface RequestLines {
  add(request: RequestSummary): void
  /** What was written is on its way; a file is closed. */
  end(): Promise<void>
}

/** Opens a log; `file` is made where there is none, and errors of opening it are thrown. Contents are what was asked and answered. */
export function requestLines({
  file,
  contents = false,
}: {
  file?: string | undefined
  contents?: boolean
} = {}): RequestLines {
  const stream: Writable = file === undefined ? process.stderr : createWriteStream('', { fd: openSync(file, 'a') })
  const log = new RequestLog({ write: lineWriter(stream), contents })
  return {
    add: (summary) => log.add(summary),
    end: async () => {
      if (file !== undefined) await new Promise<void>((resolve) => stream.end(resolve))
    },
  }
}
