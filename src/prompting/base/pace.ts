// How many calls a service gets at a time, and when one is tried again: half as many after it asked for patience, one more after as many
// good answers as there are places.

import { setTimeout } from 'node:timers/promises'
import { messageOf, UsageError } from '../../errors.ts'
import { retryAfter } from '../../retry-after.ts'

/** Milliseconds before the second try; twice as many before each further one. */
const PAUSE = 500
/** Seconds that a service is waited for at most when it says how long. */
const LONGEST = 120

/** Places, and how often to try. */
export class Pace {
  readonly #most: number
  readonly #retries: number
  #places: number
  #inside = 0
  #good = 0
  readonly #waiting: (() => void)[] = []

  constructor({ concurrency, retries }: { concurrency: number; retries: number }) {
    for (const [name, value, least] of [
      ['concurrency', concurrency, 1],
      ['retries', retries, 0],
    ] as const)
      if (!(Number.isInteger(value) && value >= least))
        throw new UsageError(`${name}: expected a whole number of at least ${least}, got ${value}`)
    this.#most = concurrency
    this.#places = concurrency
    this.#retries = retries
  }

  /** Calls that may run at the same time now. */
  get places(): number {
    return this.#places
  }

  /** Waits for a place. */
  async enter(signal: AbortSignal): Promise<{ leave: () => void }> {
    signal.throwIfAborted()
    if (this.#inside >= this.#places)
      await new Promise<void>((resolve, reject) => {
        const come = (): void => {
          signal.removeEventListener('abort', giveUp)
          resolve()
        }
        const giveUp = (): void => {
          this.#waiting.splice(this.#waiting.indexOf(come), 1)
          reject(signal.reason)
        }
        this.#waiting.push(come)
        signal.addEventListener('abort', giveUp, { once: true })
      })
    else this.#inside++
    let isGone = false
    return {
      leave: () => {
        if (isGone) return
        isGone = true
        this.#inside--
        this.#admit()
      },
    }
  }

  #admit(): void {
    while (this.#inside < this.#places && this.#waiting.length > 0) {
      this.#inside++
      this.#waiting.shift()!()
    }
  }

  /** Tries until it goes well, or is not worth another try. */
  async try<T>(
    attempt: () => Promise<T>,
    signal: AbortSignal,
    tell: (error: string, seconds: number) => void = () => {},
  ): Promise<T> {
    for (let tried = 0; ; tried++) {
      try {
        const made = await attempt()
        if (++this.#good >= this.#places && this.#places < this.#most) {
          this.#places++
          this.#good = 0
          this.#admit()
        }
        return made
      } catch (error) {
        signal.throwIfAborted()
        const { status, headers } = error as { status?: number; headers?: Headers }
        if (status === 429) {
          this.#places = Math.max(1, Math.floor(this.#places / 2))
          this.#good = 0
        }
        const isWorth = status === undefined || status === 408 || status === 409 || status === 429 || status >= 500
        if (!isWorth || tried >= this.#retries) throw error
        const asked = headers === undefined ? undefined : retryAfter(headers)
        const wait = asked === undefined ? PAUSE * 2 ** tried * (0.5 + Math.random()) : Math.min(asked, LONGEST) * 1000
        tell(messageOf(error), wait / 1000)
        await setTimeout(wait, undefined, { signal }).catch(() => signal.throwIfAborted())
      }
    }
  }
}
