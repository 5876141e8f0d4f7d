// SIGINT, SIGTERM and SIGHUP as an AbortSignal: the first lets the step finish and the run save itself, as does a standard output that
// nobody reads any more. Only a later one ends the process at once: supervisors and npm send a signal to the process and to its group,
// so the second copy comes milliseconds after the first.
import { constants } from 'node:os'
import { CLOSED_PIPE, onLostOutput } from './lost-output.ts'
import type { Output } from './output.ts'

export interface SignalStop {
  /** Aborted by the first of them. */
  readonly signal: AbortSignal
  /** 128 + the signal's number once one came, which is the exit code; 141 or 6 when the output was lost. */
  readonly code: number | undefined
  /** From here on they are heard; before, they end the process as always. */
  listen(): void
  release(): void
}

const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** So long after the first signal another one is a copy of it. */
const GRACE_MS = 1000

/** `doing` is what people are told at the first one: `finishing this step and saving`; `exit` ends the process. */
export function stopOnSignals(output: Output, doing: string, exit: (code: number) => void = process.exit): SignalStop {
  const controller = new AbortController()
  let code: number | undefined
  let endsAtOnce = false
  const stop = (wanted: number, what: string): void => {
    if (code !== undefined) return
    code = wanted
    output.note(`${what}: ${doing}. A signal after ${GRACE_MS / 1000} s ends the run at once`)
    // A step blocks the process, and signals that came meanwhile are heard after the timer: one more turn, so that they do not count.
    setTimeout(() => setImmediate(() => (endsAtOnce = true)), GRACE_MS).unref()
    controller.abort()
  }
  const onSignal = (name: (typeof NAMES)[number]): void => {
    const wanted = 128 + constants.signals[name]
    if (endsAtOnce) exit(wanted)
    else stop(wanted, name)
  }
  const onLost = (wanted: number): void =>
    stop(wanted, wanted === CLOSED_PIPE ? 'nobody reads standard output' : 'standard output cannot be written')
  let forget: (() => void) | undefined
  const release = (): void => {
    // A copy may come after the work has ended, while the process says its last words: it must not end it with another code.
    if (code !== undefined && !endsAtOnce) ignoreFor(GRACE_MS)
    for (const name of NAMES) process.off(name, onSignal)
    forget?.()
  }
  return {
    signal: controller.signal,
    get code() {
      return code
    },
    listen: () => {
      release()
      for (const name of NAMES) process.on(name, onSignal)
      forget = onLostOutput(onLost)
    },
    release,
  }
}

function ignoreFor(milliseconds: number): void {
  const ignore = (): void => {}
  for (const name of NAMES) process.on(name, ignore)
  setTimeout(() => {
    for (const name of NAMES) process.off(name, ignore)
  }, milliseconds).unref()
}
