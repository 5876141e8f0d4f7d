// How fast work goes, and how long the rest of it will take: one average for events that programs read and for the bar that people see.

const WINDOW_SECONDS = 15
/** What took less says nothing about how fast the rest will be. */
const LEAST_SECONDS = 0.02

/** Units per second over the last seconds: a mean that forgets, so that the time left follows work that slows down. */
export class RateMeter {
  private readonly from: { readonly time: number; readonly done: number }
  private time: number
  private done: number
  private units = 0
  private seconds = 0

  /** Counts from `done` units at `time`, in seconds of a clock that never goes back. */
  constructor(time: number, done: number) {
    this.from = { time, done }
    this.time = time
    this.done = done
  }

  /** So many are done at `time`. */
  add(time: number, done: number): void {
    const step = time - this.time
    if (step <= 0) return
    const keep = Math.exp(-step / WINDOW_SECONDS)
    this.units = this.units * keep + (done - this.done)
    this.seconds = this.seconds * keep + step
    this.time = time
    this.done = done
  }

  /** Units per second; undefined as long as nothing is known. */
  get rate(): number | undefined {
    return this.seconds >= LEAST_SECONDS && this.units > 0 ? this.units / this.seconds : undefined
  }

  /** Units per second since the beginning; undefined as long as nothing is known, or nothing has been done. */
  get mean(): number | undefined {
    const seconds = this.time - this.from.time
    const units = this.done - this.from.done
    return seconds >= LEAST_SECONDS && units > 0 ? units / seconds : undefined
  }

  /** Seconds until `total` are done; undefined where the rate or the total is. */
  left(total: number | undefined): number | undefined {
    const { rate } = this
    return rate === undefined || total === undefined ? undefined : (total - this.done) / rate
  }
}
