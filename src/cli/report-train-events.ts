// The events of `train()` printed and passed on, for runs that tap them.

import type { TrainEvent } from '../train/events.ts'
import type { Output } from './output.ts'
import { EventPrinter } from './report-events.ts'

/** Prints every event and yields it on. */
export async function* reportTrainEvents(
  events: AsyncIterable<TrainEvent>,
  output: Output,
): AsyncGenerator<TrainEvent, void, undefined> {
  const printer = new EventPrinter(output)
  try {
    for await (const event of events) {
      printer.print(event)
      yield event
    }
  } finally {
    printer.end()
  }
}
