// An edit at a terminal: its events are printed, and a signal ends it between two batches, with its journal kept.

import type { RunEvent } from '../run/train/run-events.ts'
import type { Output } from './output.ts'
import { reportEvents } from './report-events.ts'
import { stopOnSignals } from './stop-on-signals.ts'

/** Follows the work that `start` begins; returns the exit code, 130 or 143 after a signal. */
export async function followEdit(
  start: (signal: AbortSignal) => AsyncGenerator<RunEvent, unknown>,
  output: Output,
  doing = 'stopping; what was measured is kept',
): Promise<number> {
  const stop = stopOnSignals(output, doing)
  stop.listen()
  try {
    await reportEvents(start(stop.signal), output)
    return stop.code ?? 0
  } catch (error) {
    if (stop.code !== undefined && stop.signal.aborted && error === stop.signal.reason) return stop.code
    throw error
  } finally {
    stop.release()
  }
}
