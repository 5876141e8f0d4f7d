// Who may compute now. The engine would take any number of sequences and share its time among all; here a bounded number of rows runs,
// a bounded number of requests waits for them, and the others hear at once when to come again.

import { UsageError } from '../errors.ts'
import { ApiError } from './api-error.ts'

/** How much of a server one key may have. */
export interface KeyLimits {
  /** Requests that run or wait at the same time. */
  parallel?: number
  /** Requests in any 60 seconds. */
  perMinute?: number
}

/** How many may run and wait. */
export interface AdmissionOptions {
  /** Texts that are written at the same time, over all requests. Default 16. */
  rows?: number
  /** Requests that wait for rows. Default 64; 0 refuses whatever cannot start at once. */
  waiting?: number
  /** Longest time in the queue. Default 60. */
  waitSeconds?: number
  /** Default: a key is not limited. Requests without a key share one. */
  perKey?: KeyLimits
}

/** Who comes in. */
export interface Entrant {
  /** Texts that it writes: `n` for each of its prompts. Default 1. */
  rows?: number
  key?: string | undefined
  /** The lower, the sooner, as in vLLM. Default 0. */
  priority?: number
  signal?: AbortSignal | undefined
}

/** The right to compute, until `leave`. */
export interface Ticket {
  readonly rows: number
  readonly waitedSeconds: number
  /** Gives the rows back; a second time does nothing. */
  leave(): void
}

interface Waiting extends Required<Pick<Entrant, 'rows' | 'priority'>> {
  since: number
  /** Takes it out of the queue with a ticket. */
  admit(): void
}

const MINUTE = 60
/** `openai` sleeps as long as it is told only below a minute. */
const LONGEST_RETRY = 59
/** Of the seconds that a request computes, the share of the newest in the mean. */
const NEWEST = 0.2

/**
 * A queue before rows. The lowest priority number is first, and of one priority who came first: a request that needs many rows waits
 * for them at the head, and small ones behind it wait with it, so it comes in as soon as those before it have left.
 */
export class Admission {
  readonly rows: number
  private readonly mostWaiting: number
  private readonly waitSeconds: number
  private readonly perKey: KeyLimits
  private readonly queue: Waiting[] = []
  private readonly keys = new Map<string, { inside: number; times: number[] }>()
  private freeRows: number
  private inside = 0
  /** Mean seconds that a request holds its rows; undefined until one has left. */
  private pace: number | undefined
  private isDraining = false
  private whenEmpty: (() => void)[] = []

  constructor(options: AdmissionOptions = {}) {
    const { rows = 16, waiting = 64, waitSeconds = 60, perKey = {} } = options
    const check = (name: string, value: number | undefined, least: number): void => {
      if (value !== undefined && (!Number.isInteger(value) || value < least))
        throw new UsageError(`${name}: expected a whole number of at least ${least}, got ${value}`)
    }
    check('rows', rows, 1)
    check('waiting', waiting, 0)
    check('parallel', perKey.parallel, 1)
    check('perMinute', perKey.perMinute, 1)
    if (!(waitSeconds > 0 && waitSeconds <= 86_400))
      throw new UsageError(`waitSeconds: expected a number above 0 and at most 86400, got ${waitSeconds}`)
    this.rows = rows
    this.freeRows = rows
    this.mostWaiting = waiting
    this.waitSeconds = waitSeconds
    this.perKey = perKey
  }

  /** Requests that have a ticket. */
  get running(): number {
    return this.inside
  }

  /** Requests in the queue. */
  get waiting(): number {
    return this.queue.length
  }

  /** Rows that tickets hold, of `rows`. */
  get usedRows(): number {
    return this.rows - this.freeRows
  }

  get draining(): boolean {
    return this.isDraining
  }

  /**
   * Waits for rows. What is refused at once is thrown at once, so that a stream need not begin for it: ApiError 400 for more rows than
   * there are; 429 with `retry-after` where the queue is full (`queue_full`) or a key has its share (`rate_limit_exceeded`); 503
   * (`draining`) after `drain`. The promise fails where the wait takes too long (429, `queue_timeout`), and with the signal's reason.
   */
  enter({ rows = 1, key = '', priority = 0, signal }: Entrant = {}): Promise<Ticket> {
    signal?.throwIfAborted()
    if (!Number.isInteger(rows) || rows < 1) throw new UsageError(`rows: expected a whole number, got ${rows}`)
    if (this.isDraining)
      throw new ApiError(503, 'This server is about to stop and takes no new requests. Try another, or again later', {
        code: 'draining',
        headers: { 'retry-after': '1' },
      })
    if (rows > this.rows)
      throw new ApiError(
        400,
        `n: expected at most ${this.rows} texts (n × prompts), got ${rows}. Ask for fewer at a time`,
        {
          param: 'n',
        },
      )
    const startsNow = this.queue.length === 0 && rows <= this.freeRows
    if (!startsNow && this.queue.length >= this.mostWaiting)
      throw this.refusal(
        `${this.queue.length} requests wait already. Try again later`,
        'queue_full',
        this.secondsOf(this.rowsWaiting),
      )
    return this.wait(rows, priority, signal, this.takeKey(key))
  }

  /**
   * Takes no new requests from now on. Those in the queue were promised a turn and get it; resolves when the last has left. Who has
   * less time than that aborts the signals they came in with.
   */
  drain(): Promise<void> {
    this.isDraining = true
    return new Promise((resolve) => {
      this.whenEmpty.push(resolve)
      this.tellIfEmpty()
    })
  }

  private wait(rows: number, priority: number, signal: AbortSignal | undefined, leaveKey: () => void): Promise<Ticket> {
    const since = now()
    if (this.queue.length === 0 && rows <= this.freeRows) return Promise.resolve(this.ticket(rows, since, leaveKey))
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', giveUp)
      }
      const leaveQueue = (reason: unknown): void => {
        stop()
        this.queue.splice(this.queue.indexOf(entry), 1)
        leaveKey()
        reject(reason)
        // Whoever stood behind it may fit.
        this.admitNext()
      }
      const giveUp = (): void => leaveQueue(signal!.reason)
      const entry: Waiting = {
        rows,
        priority,
        since,
        admit: () => {
          stop()
          resolve(this.ticket(rows, since, leaveKey))
        },
      }
      const timer = setTimeout(() => {
        const ahead = this.queue.slice(0, this.queue.indexOf(entry) + 1).reduce((sum, one) => sum + one.rows, 0)
        leaveQueue(
          this.refusal(
            `It waited ${this.waitSeconds} s for its turn. Try again later`,
            'queue_timeout',
            this.secondsOf(ahead),
          ),
        )
      }, this.waitSeconds * 1000)
      signal?.addEventListener('abort', giveUp, { once: true })
      const place = this.queue.findIndex((other) => other.priority > priority)
      this.queue.splice(place < 0 ? this.queue.length : place, 0, entry)
      this.admitNext()
    })
  }

  private admitNext(): void {
    while (this.queue.length > 0 && this.queue[0]!.rows <= this.freeRows) this.queue.shift()!.admit()
    this.tellIfEmpty()
  }

  private ticket(rows: number, since: number, leaveKey: () => void): Ticket {
    const start = now()
    this.freeRows -= rows
    this.inside++
    let isInside = true
    const leave = (): void => {
      if (!isInside) return
      isInside = false
      const seconds = now() - start
      this.pace = this.pace === undefined ? seconds : this.pace + NEWEST * (seconds - this.pace)
      this.freeRows += rows
      this.inside--
      leaveKey()
      this.admitNext()
    }
    return { rows, waitedSeconds: start - since, leave }
  }

  private takeKey(key: string): () => void {
    const { parallel, perMinute } = this.perKey
    if (parallel === undefined && perMinute === undefined) return () => {}
    let state = this.keys.get(key)
    if (state === undefined) {
      state = { inside: 0, times: [] }
      this.keys.set(key, state)
    }
    if (parallel !== undefined && state.inside >= parallel)
      throw this.refusal(
        `This key has ${state.inside} requests at work, as many as it may. Wait for one to end`,
        'rate_limit_exceeded',
        (this.pace ?? 0) / parallel,
      )
    if (perMinute !== undefined) {
      const time = now()
      while (state.times.length > 0 && state.times[0]! <= time - MINUTE) state.times.shift()
      if (state.times.length >= perMinute)
        throw this.refusal(
          `This key made ${perMinute} requests in the last minute, as many as it may. Try again later`,
          'rate_limit_exceeded',
          state.times[0]! + MINUTE - time,
        )
      state.times.push(time)
    }
    state.inside++
    let isInside = true
    return () => {
      if (isInside) state.inside--
      isInside = false
    }
  }

  private get rowsWaiting(): number {
    return this.queue.reduce((sum, { rows }) => sum + rows, 0)
  }

  /** How long so many rows take, as long as requests go on as they did. */
  private secondsOf(rows: number): number {
    return (rows * (this.pace ?? 0)) / this.rows
  }

  private refusal(message: string, code: string, seconds: number): ApiError {
    const wait = Math.min(LONGEST_RETRY, Math.max(1, Math.ceil(seconds)))
    return new ApiError(429, message, { code, headers: { 'retry-after': String(wait) } })
  }

  private tellIfEmpty(): void {
    if (!this.isDraining || this.inside > 0 || this.queue.length > 0) return
    for (const resolve of this.whenEmpty.splice(0)) resolve()
  }
}

/** Seconds of a clock that never goes back. */
const now = (): number => performance.now() / 1000
