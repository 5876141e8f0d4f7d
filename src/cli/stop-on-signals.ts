// SIGINT and SIGTERM as an AbortSignal: the first lets the step finish and the run save itself, the second ends the process at once
// (JavaScript hears of either between two steps).
import { constants } from 'node:os'
import type { Output } from './output.ts'

export interface SignalStop {
  /** Aborted by the first of them. */
  readonly signal: AbortSignal
  /** 128 + the signal's number once one came, which is the exit code. */
  readonly code: number | undefined
  /** From here on they are heard; before, they end the process as always. */
  listen(): void
  release(): void
}

/** `saves` says whether a checkpoint will follow. */
export function stopOnSignals(output: Output, saves: boolean): SignalStop {
  const controller = new AbortController()
  let code: number | undefined
  const names = ['SIGINT', 'SIGTERM'] as const
  const stop = (name: (typeof names)[number]): void => {
    const wanted = 128 + constants.signals[name]
    if (code !== undefined) process.exit(wanted)
    code = wanted
    output.note(
      `${name}: finishing this step${saves ? ' and saving' : '; save_strategy is no'}. Once more ends the run at once`,
    )
    controller.abort()
  }
  const release = (): void => {
    for (const name of names) process.off(name, stop)
  }
  return {
    signal: controller.signal,
    get code() {
      return code
    },
    listen: () => {
      release()
      for (const name of names) process.on(name, stop)
    },
    release,
  }
}
