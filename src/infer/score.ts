// Log-probabilities of given tokens: each text, or each window of a text that is longer than that, is a sequence of the scheduler. Windows
// overlap, so that each token sees at least half a window of what came before.

import type { ScoreOptions } from '../lm/lm.ts'
import type { Tensor } from '../torch/index.ts'
import type { LogitRows } from './logit-rows.ts'
import type { Scheduler, Task } from './scheduler.ts'

/** A part of a sequence that the model sees at once; scores the tokens from `scoresFrom` to the end. */
export interface ScoreWindow {
  sequence: number
  begin: number
  end: number
  scoresFrom: number
}

/**
 * Reads sequences of valid ids, none of them empty, and asks `read` for what each wanted place says of the token that follows it. `window`:
 * tokens that the model sees at once, at least 2. `prefix`: ids that it reads before every window besides; the first token stays without a
 * value all the same, so that what is compared is the same tokens.
 */
export function scoreSequences<T>(
  scheduler: Scheduler,
  sequences: readonly (readonly number[])[],
  read: (logits: Tensor, next: readonly number[]) => Iterable<T>,
  options: ScoreOptions & { window: number; prefix?: readonly number[] },
): Promise<(T | null)[][]> {
  const { window, from = [], signal, onProgress, prefix = [], adapter = null, cacheSalt = '' } = options
  const scores = sequences.map((ids) => new Array<T | null>(ids.length).fill(null))
  const windows = planWindows(
    sequences.map(({ length }) => length),
    window,
    from,
  )
  // Windows overlap: what is read again to see what comes before is no progress.
  const total = windows.reduce((sum, { scoresFrom, end }) => sum + end - scoresFrom, 0)
  if (total === 0) return Promise.resolve(scores)
  return new Promise((resolve, reject) => {
    let done = 0
    const fail = (error: unknown): void => {
      for (const task of tasks) task.stop()
      signal?.removeEventListener('abort', abort)
      reject(error)
    }
    const abort = (): void => fail(signal!.reason)
    const tasks = windows.map(({ sequence, begin, end, scoresFrom }) => {
      const ids = [...prefix, ...sequences[sequence]!.slice(begin, end)]
      const take = (logits: Tensor, place: number, next: readonly number[]): void => {
        let at = begin + place + 1 - prefix.length
        for (const value of read(logits, next)) scores[sequence]![at++] = value
        done += next.length
        onProgress?.(done, total)
        if (done < total) return
        signal?.removeEventListener('abort', abort)
        resolve(scores)
      }
      return new ReadingTask(
        ids,
        prefix.length + window,
        prefix.length + scoresFrom - begin,
        { adapter, salt: cacheSalt },
        take,
        fail,
      )
    })
    if (signal?.aborted) return abort()
    signal?.addEventListener('abort', abort, { once: true })
    scheduler.add(...tasks)
  })
}

/** A text that is only read. Its last token leads to nothing that is asked for: where it would not fit into the window, it is not read. */
class ReadingTask implements Task {
  readonly ids: readonly number[]
  readonly adapter: string | null
  readonly salt: string
  /** What was told already is not told again where blocks ran out and the text is read once more. */
  #logitsFrom: number
  readonly #text: readonly number[]
  readonly #take: (logits: Tensor, place: number, next: readonly number[]) => void
  readonly #fail: (error: unknown) => void
  #isOver = false

  constructor(
    text: readonly number[],
    most: number,
    scoresFrom: number,
    { adapter, salt }: Pick<Task, 'adapter' | 'salt'>,
    take: (logits: Tensor, place: number, next: readonly number[]) => void,
    fail: (error: unknown) => void,
  ) {
    this.ids = text.slice(0, most)
    this.#text = text
    this.#logitsFrom = scoresFrom - 1
    this.adapter = adapter
    this.salt = salt
    this.#take = take
    this.#fail = fail
  }

  get logitsFrom(): number {
    return this.#logitsFrom
  }

  isOver(): boolean {
    return this.#isOver
  }

  /** Nobody asks for it any more. */
  stop(): void {
    this.#isOver = true
  }

  begin(): void {}

  draft(): readonly number[] {
    return []
  }

  take(logits: LogitRows, row: number, count: number, place: number): void {
    this.#logitsFrom = place + count
    if (this.#logitsFrom === this.ids.length) this.stop()
    const next = this.#text.slice(place + 1, place + 1 + count)
    if (next.length > 0) this.#take(logits.tensor.narrow(0, row, next.length), place, next)
  }

  fail(error: unknown): void {
    this.stop()
    this.#fail(error)
  }
}

/**
 * Windows over sequences of these lengths. A text of one token more than the window is one, because the last token need not be read.
 * Otherwise the first starts at 0; each later one ends half a window further (or at the end of the text) and
 * is as long as the first, so only tokens that are new get scored. `from`: the first token of each sequence to score (default 1); the windows
 * stay those of the whole text, so that its tokens get the scores that they get there.
 */
export function planWindows(lengths: readonly number[], window: number, from: readonly number[] = []): ScoreWindow[] {
  const stride = Math.ceil(window / 2)
  return lengths.flatMap((length, sequence) => {
    const windows: ScoreWindow[] = []
    const first = Math.max(1, from[sequence] ?? 1)
    const isWhole = length <= window + 1
    let end = isWhole ? length : window
    for (let scoresFrom = 1; scoresFrom < length; ) {
      if (end > first)
        windows.push({
          sequence,
          begin: isWhole ? 0 : Math.max(0, end - window),
          end,
          scoresFrom: Math.max(first, scoresFrom),
        })
      scoresFrom = end
      end = Math.min(end + stride, length)
    }
    return windows
  })
}
