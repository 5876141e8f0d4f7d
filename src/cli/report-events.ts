// Events of long work → what people and programs see while it goes on: a bar with rate and time left (or plain lines in a pipe),
// notices, rows of a table and results; with `--json` every event but progress as a JSON line, and the result's own object last.

import { duration } from '../report/amounts.ts'
import type { RunEvent } from '../run/train/run-events.ts'
import type { WorkEvent } from '../work.ts'
import { describeTrainEvent, startLine, stepDetails } from './describe-train-event.ts'
import type { Output } from './output.ts'
import { type Progress, startProgress } from './progress.ts'
import { RowPrinter } from './row-printer.ts'

const TOLD_ALWAYS: ReadonlySet<RunEvent['type']> = new Set([
  'started',
  'notice',
  'data-read',
  'memory',
  'example',
  'fingerprint',
])

/**
 * Prints every event of a piece of work, and returns what it returns.
 *
 * @example
 * const { out } = await reportEvents(runPrune(options, { signal }), output)
 */
export async function reportEvents<R>(events: AsyncGenerator<RunEvent, R>, output: Output): Promise<R> {
  const printer = new EventPrinter(output)
  try {
    while (true) {
      const next = await events.next()
      if (next.done === true) return next.value
      printer.print(next.value)
    }
  } finally {
    printer.end()
    await events.return(undefined as R) // nobody reads on: the work is stopped
  }
}

/** Prints event by event; `end` takes the bar away, whatever happened. */
class EventPrinter {
  readonly #output: Output
  readonly #rows: RowPrinter
  #bar: { label: string; progress: Progress; isDone: boolean } | undefined

  constructor(output: Output) {
    this.#output = output
    this.#rows = new RowPrinter((line) => this.#say(line))
  }

  print(event: RunEvent): void {
    if (event.type === 'progress') this.#move(event)
    else if (event.type === 'result') {
      this.end()
      this.#output.emit(Object(event.result))
      if (event.lines !== undefined && event.lines.length > 0) this.#output.result(event.lines.join('\n'))
    } else {
      this.#output.emit(event)
      if (!this.#output.isJson || isToldAlways(event)) this.#show(event)
    }
  }

  end(): void {
    this.#bar?.progress.end()
    this.#bar = undefined
  }

  #show(event: Exclude<RunEvent, { type: 'progress' | 'result' }>): void {
    switch (event.type) {
      case 'started':
        if (event.message !== undefined) this.#say(event.message)
        break
      case 'notice':
        this.#say(`notice: ${event.message}`)
        break
      case 'data-read':
      case 'memory':
        this.#say(event.message)
        break
      case 'example':
        for (const line of [event.message, ...event.texts]) this.#say(line)
        break
      case 'fingerprint':
        this.#say(`fingerprint ${event.fingerprint.fingerprint}`)
        break
      case 'row':
        this.#rows.print(event)
        break
      case 'saved': {
        const time = event.seconds === undefined ? '' : ` in ${duration(event.seconds)}`
        this.#say(
          event.what === 'charts' ? `charts of the run: ${event.path}` : `saved ${event.what} ${event.path}${time}`,
        )
        break
      }
      case 'run-start':
        this.#say(startLine(event))
        this.#move({ label: 'training', done: event.startStep, total: event.steps, unit: 'steps' })
        break
      case 'step-done':
        this.#bar?.progress.update(event.metrics.step, stepDetails(event.metrics))
        break
      default:
        if (event.type === 'run-end') this.end()
        this.#say(describeTrainEvent(event))
    }
  }

  /** A new label is a new bar; a bar that is full stays behind as a line. */
  #move({
    label,
    done,
    total,
    unit,
    details,
  }: Omit<Extract<WorkEvent, { type: 'progress' }>, 'type' | 'seconds' | 'rate'>): void {
    if (this.#bar?.label !== label) {
      this.end()
      const progress = startProgress(this.#output, { label, unit, start: done, ...(total !== undefined && { total }) })
      this.#bar = { label, progress, isDone: false }
    }
    const bar = this.#bar
    if (bar.isDone) return
    bar.progress.update(done, details)
    if (total === undefined || done < total) return
    bar.isDone = true
    bar.progress.end()
  }

  #say(line: string): void {
    if (this.#bar === undefined || this.#bar.isDone) this.#output.note(line)
    else this.#bar.progress.log(line)
  }
}

/** What people must know also where a program reads the rest: it goes to standard error, the event itself to standard output. */
function isToldAlways(event: RunEvent): boolean {
  return TOLD_ALWAYS.has(event.type) || (event.type === 'saved' && event.what === 'charts')
}
