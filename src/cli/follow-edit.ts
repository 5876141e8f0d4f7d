// An edit at a terminal: its events are printed, and a signal ends it between two batches, with its journal kept.

import type { RunEvent } from '../run/train/run-events.ts'
import type { Output } from './output.ts'
import { reportEvents } from './report-events.ts'
import { stopOnSignals } from './stop-on-signals.ts'

/** Follows the work that `start` begins; returns the exit code, 130 or 143 after a signal, else what `codeOf` makes of the result. */
export async function followEdit<R>(
  start: (signal: AbortSignal) => AsyncGenerator<RunEvent, R>,
  output: Output,
  doing = 'stopping; what was measured is kept',
  codeOf: (result: R) => number = () => 0,
): Promise<number> {
  const stop = stopOnSignals(output, doing)
  stop.listen()
  try {
    const result = await reportEvents(start(stop.signal), output)
    return stop.code ?? codeOf(result)
  } catch (error) {
    if (stop.code !== undefined && stop.signal.aborted && error === stop.signal.reason) return stop.code
    throw error
  } finally {
    stop.release()
  }
}
