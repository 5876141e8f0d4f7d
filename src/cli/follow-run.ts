// A training run at a terminal: its events are printed, signals let it save, and how it ended becomes an exit code.

import { exitCodeOf } from '../errors.ts'
import type { RunEvent, TrainResult } from '../run/train/run-events.ts'
import type { Output } from './output.ts'
import { reportEvents } from './report-events.ts'
import { type SignalStop, stopOnSignals } from './stop-on-signals.ts'

export interface FollowedRun {
  result: TrainResult
  /** 0, 6 when the last checkpoint could not be saved, 129, 130 or 143 after a signal, 141 when nobody read the output. */
  exitCode: number
}

/** Follows the run that `start` begins. `saves`: a signal makes it leave a checkpoint. */
export async function followRun(
  start: (signal: AbortSignal) => AsyncGenerator<RunEvent, TrainResult>,
  output: Output,
  saves: boolean,
): Promise<FollowedRun> {
  const stop = stopOnSignals(output, `finishing this step${saves ? ' and saving' : '; save_strategy is no'}`)
  try {
    const result = await reportEvents(listening(start(stop.signal), stop), output)
    const { saveError } = result
    return { result, exitCode: saveError === undefined ? (stop.code ?? 0) : exitCodeOf(saveError) }
  } finally {
    stop.release()
  }
}

/** Before the first step there is nothing to save, so a signal ends the process as it always does. */
async function* listening(
  events: AsyncGenerator<RunEvent, TrainResult>,
  stop: SignalStop,
): AsyncGenerator<RunEvent, TrainResult> {
  while (true) {
    const next = await events.next()
    if (next.done === true) return next.value
    if (next.value.type === 'run-start') stop.listen()
    yield next.value
  }
}
