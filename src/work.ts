// The one vocabulary of long work: what a run, an edit, a search or an export tells while it goes on, and how it is stopped. Work at
// the bottom of the house calls `watch`; `eventsOf` makes the async generator that a command prints, a server streams and a page draws.

import { RateMeter } from './rate-meter.ts'

/** How far a part of the work is. Rate and time left are filled in by `eventsOf`. */
export interface Progress {
  /** What is going on, as people read it: `scoring`, `reading text`. A new label is a new bar. */
  label: string
  done: number
  /** Absent where nobody knows how much there is. */
  total?: number
  /** What is counted: `batches`, `bytes`, `steps`. */
  unit: string
  /** Further values beside the bar, ready to be shown. */
  details?: Readonly<Record<string, string>>
}

/** What long work tells while it goes on. */
export type WorkEvent =
  /** First event of a piece of work: `work` is the command's or method's name; `message` says what is about to be done. */
  | { type: 'started'; work: string; message?: string }
  | ({ type: 'progress' } & Progress & {
        /** Since this label was first seen. */
        seconds: number
        /** Units per second over the last seconds; 0 as long as nothing is known. */
        rate: number
        /** Seconds left, where `total` and the rate are known. */
        eta?: number
      })
  | { type: 'notice'; message: string }
  /** A row of a table that people compare; rows with one `table` have the same columns, in order. */
  | { type: 'row'; table: string; row: Readonly<Record<string, string | number | null>> }
  /** Something is whole on disk. `what`: `model`, `checkpoint`, `report`. */
  | { type: 'saved'; what: string; path: string; seconds?: number }
  /** Last event, with what the generator returns: what programs read, and what people are told. */
  | { type: 'result'; result: unknown; lines?: readonly string[] }

/** Hears of an event at once and in order; must not throw. Of progress it takes the bare counts. `More`: events of one kind of work. */
export type Tell<More = never> = (
  event: Exclude<WorkEvent, { type: 'progress' }> | ({ type: 'progress' } & Progress) | More,
) => void

/** What work is given to tell of itself and to hear that it should stop. All of it may be absent. */
export interface Watch {
  readonly signal?: AbortSignal | undefined
  readonly tell?: Tell | undefined
}

/** Tells on, each notice once: what several files, or several looks at the same data, have in common is said once. */
export function noticesOnce(tell: Tell): Tell {
  const told = new Set<string>()
  return (event) => {
    if (event.type === 'notice') {
      if (told.has(event.message)) return
      told.add(event.message)
    }
    tell(event)
  }
}

/**
 * Lets signals, timers and readers of events have their turn, and ends work that was aborted. Long loops await it between batches,
 * outside every `scope()`. Throws `signal.reason`.
 */
export async function turn(watch?: Watch): Promise<void> {
  await new Promise(setImmediate)
  watch?.signal?.throwIfAborted()
}

/** Counts towards a total under one label, over as many loops as it takes, and tells of it. The total may grow. */
export class Count {
  total: number
  private readonly tell: Tell | undefined
  private readonly label: string
  private readonly unit: string
  private done = 0

  /** Tells of the start at once, unless there is nothing to do. */
  constructor(watch: Watch | undefined, { label, unit, total }: { label: string; unit: string; total: number }) {
    this.tell = watch?.tell
    this.label = label
    this.unit = unit
    this.total = total
    if (total > 0) this.add(0)
  }

  /** So many more are done. */
  add(count: number = 1): void {
    this.done += count
    const { label, unit, done } = this
    this.tell?.({ type: 'progress', label, done, total: Math.max(this.total, done), unit })
  }
}

/**
 * Runs `work` and yields what it tells, in order and as it happens; returns what it returns and throws what it throws. When the reader
 * stops early (`break`, `return()`), the work is aborted and awaited.
 *
 * @example
 * for await (const event of eventsOf((watch) => longWork(watch), { signal })) console.log(event.type)
 */
export async function* eventsOf<R, More extends { type: string } = never>(
  work: (watch: { signal: AbortSignal; tell: Tell<More> }) => Promise<R>,
  { signal, now = () => performance.now() }: { signal?: AbortSignal | undefined; now?: () => number } = {},
): AsyncGenerator<WorkEvent | More, R> {
  const left = new AbortController()
  const queue: (WorkEvent | More)[] = []
  const started = new Map<string, { at: number; meter: RateMeter }>()
  let wake: () => void = () => {}
  let isOver = false
  const tell: Tell<More> = (event) => {
    queue.push(isProgress(event) ? timed(event, started, now()) : event)
    wake()
  }
  const result = work({ tell, signal: signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]) })
  const end = (): void => {
    isOver = true
    wake()
  }
  result.then(end, end)
  try {
    while (true) {
      while (queue.length > 0) yield queue.shift()!
      if (isOver) return await result
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    left.abort()
    await result.catch(() => {}) // told already, or nobody listens any more
  }
}

function isProgress(event: { type: string }): event is { type: 'progress' } & Progress {
  return event.type === 'progress'
}

/** Progress with its rate; `at` in milliseconds. */
function timed(progress: Progress, started: Map<string, { at: number; meter: RateMeter }>, at: number): WorkEvent {
  const { label, done, total } = progress
  const first = started.get(label) ?? { at, meter: new RateMeter(at / 1000, done) }
  started.set(label, first)
  first.meter.add(at / 1000, done)
  const eta = first.meter.left(total)
  const seconds = (at - first.at) / 1000
  return { ...progress, type: 'progress', seconds, rate: first.meter.rate ?? 0, ...(eta !== undefined && { eta }) }
}

/**
 * The value of work of which only the end matters; `onEvent` hears the rest.
 *
 * @example
 * const { out } = await resultOf(runPrune(options), (event) => console.error(event.type))
 */
export async function resultOf<E, R>(events: AsyncGenerator<E, R>, onEvent: (event: E) => void = () => {}): Promise<R> {
  while (true) {
    const next = await events.next()
    if (next.done === true) return next.value
    onEvent(next.value)
  }
}
