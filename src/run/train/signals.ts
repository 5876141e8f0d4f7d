// SIGINT and SIGTERM: the first lets the step finish and the run save itself, the second ends the process at once
// (JavaScript hears of either between two steps).
import { constants } from 'node:os'
import type { Output } from '../../cli/output.ts'

export interface SignalStop {
  readonly aborted: boolean
  /** 128 + the signal's number once one came, which is the exit code. */
  readonly code: number | undefined
  release(): void
}

/** Listens until `release()`; `saves` says whether a checkpoint will follow. */
export function stopOnSignals(output: Output, saves: boolean): SignalStop {
  let code: number | undefined
  const names = ['SIGINT', 'SIGTERM'] as const
  const listen = (name: (typeof names)[number]): void => {
    const wanted = 128 + constants.signals[name]
    if (code !== undefined) process.exit(wanted)
    code = wanted
    output.note(
      `${name}: finishing this step${saves ? ' and saving' : '; save_strategy is no'}. Once more ends the run at once`,
    )
  }
  for (const name of names) process.on(name, listen)
  return {
    get aborted() {
      return code !== undefined
    },
    get code() {
      return code
    },
    release: () => {
      for (const name of names) process.off(name, listen)
    },
  }
}
