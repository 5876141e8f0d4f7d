// Progress of anything that counts: a bar on a terminal, now and then a plain line in a pipe, nothing with `--json`.
// Writes to standard error only. The cursor comes back however the process ends.

import { RateMeter } from '../rate-meter.ts'
import { amount, duration } from '../report/amounts.ts'
import type { Output, TextStream } from './output.ts'

export type ProgressMode = 'bar' | 'lines' | 'silent'

export interface ProgressOptions {
  /** What is going on, one or two words: `training`, `packing`. */
  label: string
  /** Units in all; leave it out where nobody knows, and there is no percentage and no ETA. */
  total?: number
  /** Plural of what is counted: `steps`, `docs`; `bytes` are shown as kB, MB, … */
  unit: string
  /** Units that were done before, in a resumed run: they count for the bar and not for the rate. */
  start?: number
  /** Seconds on a clock that never goes back; tests pass their own. */
  now?: () => number
  /** Default: `progressMode(output)`. */
  mode?: ProgressMode
}

export interface Progress {
  /** `done` units are finished; `details` are shown behind, e.g. `{ loss: '2.31', 'tokens/s': '5.1 k' }`. */
  update(done: number, details?: Readonly<Record<string, string>>): void
  /** Lines for people above the bar; shown in every mode, as they are not progress. */
  log(line: string): void
  /** Ends the bar. Leaves one line behind with the whole time. Does nothing the second time. */
  end(): void
}

const REDRAW_SECONDS = 0.1
const LINE_SECONDS = 10
const BAR_WIDTH = 24
const SHOW_CURSOR = '\u001b[?25h'
const HIDE_CURSOR = '\u001b[?25l'
const CLEAR_LINE = '\r\u001b[2K'

/** A bar needs a terminal that can redraw a line; `CI` and `TERM=dumb` say that nobody looks at one. */
export function progressMode(output: Output, environment: NodeJS.ProcessEnv = process.env): ProgressMode {
  if (output.isJson) return 'silent'
  return output.stderr.isTTY && environment.TERM !== 'dumb' && !environment.CI ? 'bar' : 'lines'
}

/** Starts showing progress. Call `end` in a `finally`. */
export function startProgress(output: Output, options: ProgressOptions): Progress {
  const { label, total, unit, start = 0, now = monotonicSeconds, mode = progressMode(output) } = options
  const meter = new RateMeter(now(), start)
  const began = now()
  let done = start
  let details: Readonly<Record<string, string>> = {}
  let drawnAt = Number.NEGATIVE_INFINITY
  let isEnded = false
  const showCursor = mode === 'bar' ? hideCursor(output.stderr) : () => {}

  const line = (isLast: boolean): string => {
    const elapsed = now() - began
    const perSecond = isLast ? meter.mean : meter.rate
    const left = meter.left(total)
    const parts = [label]
    if (total !== undefined) parts.push(`${Math.floor((100 * Math.min(done, total)) / Math.max(1, total))} %`)
    parts.push(total === undefined ? amount(done, unit) : `${amount(done, unit, false)}/${amount(total, unit)}`)
    if (perSecond !== undefined) parts.push(`${amount(perSecond, unit, false)}/s`)
    if (isLast) parts.push(`in ${duration(elapsed)}`)
    else if (left !== undefined) parts.push(`${duration(left)} left`)
    for (const [name, value] of Object.entries(details)) parts.push(`${name} ${value}`)
    return parts.join('  ')
  }

  const draw = (): void => {
    drawnAt = now()
    const columns = Math.max(20, output.stderr.columns ?? 80)
    const text = line(false)
    // One column stays free: a full line would wrap on some terminals.
    const room = columns - 1 - text.length - 1
    const bar =
      total !== undefined && room >= 6 ? `${drawBar(done / Math.max(1, total), Math.min(BAR_WIDTH, room))} ` : ''
    output.stderr.write(CLEAR_LINE + (bar + text).slice(0, columns - 1))
  }

  return {
    update(newDone, newDetails = details) {
      done = newDone
      details = newDetails
      meter.add(now(), done)
      const pause = mode === 'bar' ? REDRAW_SECONDS : LINE_SECONDS
      if (isEnded || mode === 'silent' || now() - drawnAt < pause) return
      if (mode === 'bar') return draw()
      drawnAt = now()
      output.note(line(false))
    },
    log(text) {
      if (mode === 'bar' && !isEnded) output.stderr.write(CLEAR_LINE)
      output.note(text)
      if (mode === 'bar' && !isEnded) draw()
    },
    end() {
      if (isEnded) return
      isEnded = true
      if (mode === 'silent') return
      meter.add(now(), done)
      output.stderr.write(mode === 'bar' ? CLEAR_LINE : '')
      output.note(line(true))
      showCursor()
    },
  }
}

// Eighths of a block: the bar moves even when a step is a thousandth of it.
function drawBar(fraction: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * width * 8)
  const full = Math.floor(eighths / 8)
  const part = ' ▏▎▍▌▋▊▉'[eighths % 8]!
  return `▕${('█'.repeat(full) + (full < width ? part : '')).padEnd(width)}▏`.slice(0, width + 2)
}

/** Hides the cursor until the returned function is called, the process exits, or a signal ends it. */
function hideCursor(stream: TextStream): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const show = (): void => {
    stream.write(SHOW_CURSOR)
    process.removeListener('exit', show)
    for (const signal of signals) process.removeListener(signal, onSignal)
  }
  // Without any listener a signal ends the process and no `exit` event comes. With one of ours only, do what
  // would have happened; with others, such as a run that saves before it stops, leave it to them.
  const onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return
    show()
    process.kill(process.pid, signal)
  }
  process.once('exit', show)
  for (const signal of signals) process.on(signal, onSignal)
  stream.write(HIDE_CURSOR)
  return show
}

function monotonicSeconds(): number {
  return performance.now() / 1000
}
