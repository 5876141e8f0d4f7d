// An answer on its way that several wait for: made once, heard by each from its beginning, and ended when nobody waits any more.

import { collectAnswer } from './collect-answer.ts'
import type { ModelAnswer, ModelPiece } from './model-call.ts'

/** One call of a model for all who asked the same. */
export class Flight {
  readonly #pieces: ModelPiece[] = []
  readonly #stop = new AbortController()
  #waiters = 0
  #isOver = false
  #failure: { error: unknown } | undefined
  #wake: () => void = () => undefined
  #more: Promise<void> = this.#next()

  /** `over` hears of the whole answer before anybody hears of its end; of none where it failed. */
  constructor(
    begin: (signal: AbortSignal) => AsyncIterable<ModelPiece>,
    over: (answer: ModelAnswer | undefined) => void,
  ) {
    void this.#run(begin, over)
  }

  /** Whether it was given up, so that another has to be made. */
  get isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  async #run(
    begin: (signal: AbortSignal) => AsyncIterable<ModelPiece>,
    over: (answer: ModelAnswer | undefined) => void,
  ): Promise<void> {
    try {
      await Promise.resolve() // whoever made this one has it before anything can be over
      const last: ModelPiece[] = []
      for await (const piece of begin(this.#stop.signal)) {
        if (piece.finishReason === undefined) this.#tell(piece)
        else last.push(piece)
      }
      over(await collectAnswer([...this.#pieces, ...last]))
      for (const piece of last) this.#tell(piece)
    } catch (error) {
      this.#failure = { error }
      over(undefined)
    } finally {
      this.#isOver = true
      this.#wake()
    }
  }

  #tell(piece: ModelPiece): void {
    this.#pieces.push(piece)
    this.#wake()
    this.#more = this.#next()
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** The pieces. Who stops listening leaves the others theirs; when the last one does, the model is stopped. */
  async *listen(signal: AbortSignal | undefined): AsyncGenerator<ModelPiece, void, undefined> {
    this.#waiters++
    let isHere = true
    const leave = (): void => {
      if (isHere) this.#waiters--
      isHere = false
      if (this.#waiters === 0 && !this.#isOver) this.#stop.abort(signal?.aborted ? signal.reason : undefined)
    }
    let giveUp = (): void => undefined
    const given = new Promise<void>((resolve) => {
      giveUp = () => {
        leave()
        resolve()
      }
    })
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      for (let at = 0; ; ) {
        if (at < this.#pieces.length) {
          yield this.#pieces[at++]!
          continue
        }
        if (this.#failure !== undefined) throw this.#failure.error
        if (this.#isOver) return
        // The last one to leave hears how the model ends; the others do not wait for that.
        if (signal?.aborted && !this.isStopped) signal.throwIfAborted()
        await (signal?.aborted ? this.#more : Promise.race([this.#more, given]))
      }
    } finally {
      signal?.removeEventListener('abort', giveUp)
      leave()
    }
  }
}
