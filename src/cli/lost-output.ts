// What happens when nobody can hear us any more: the reader of standard output went away, its disk is full, the terminal is closed. Without
// anybody who takes care of it the process ends at once, as other programs do; a training run finishes its step and saves first.
import { describeError, exitCodeOf, hasCode } from '../errors.ts'

/** What a shell reports for SIGPIPE. */
export const CLOSED_PIPE = 141

let taker: ((exitCode: number) => void) | undefined

/** Lets `take` decide what a lost standard output means, until the function that is returned is called. It may hear of it more than once. */
export function onLostOutput(take: (exitCode: number) => void): () => void {
  taker = take
  return () => {
    if (taker === take) taker = undefined
  }
}

/** Watches the process's streams. People's output may get lost without harm: a run does not end because its log's reader did. */
export function watchOutput(): void {
  let isSaid = false
  process.stdout.on('error', (error: Error) => {
    const isClosed = hasCode(error, 'EPIPE', 'EIO', 'ERR_STREAM_DESTROYED')
    if (!isClosed && !isSaid) {
      isSaid = true
      process.stderr.write(`${describeError(Object.assign(error, { path: 'standard output' }))}\n`)
    }
    const exitCode = isClosed ? CLOSED_PIPE : exitCodeOf(error)
    if (taker === undefined) process.exit(exitCode)
    taker(exitCode)
  })
  process.stderr.on('error', () => {})
}
