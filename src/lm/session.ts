// A text that a program writes together with a model: it appends, lets the model go on, asks how probable something would be, tries
// branches and takes them back. A session holds ids and nothing else; what makes it quick is the model's cache, which finds by content
// what has been read before (`Usage.cachedTokens`).

import { UsageError } from '../errors.ts'
import type { GenerateOptions, GenerationPiece, Lm, Prompt, TokenLogProbs } from './lm.ts'

/** What all calls of a session have in common. */
export type LmSessionOptions = Pick<GenerateOptions, 'adapter' | 'cacheSalt'>

/**
 * A text of `lm` in the making.
 *
 * @example
 * const session = new LmSession(lm, { prompt: 'Q: 2 + 2?\nA:' })
 * const sure = await session.score(' 4')            // nothing is appended
 * const branch = session.fork()                     // costs a copy of the ids
 * for await (const { text } of branch.generate({ maxNewTokens: 20 })) process.stdout.write(text)
 * branch.rollback(session.length)                   // as if it had never been said
 */
export class LmSession {
  readonly lm: Lm
  readonly #options: LmSessionOptions
  readonly #ids: number[]
  #isGenerating = false

  constructor(lm: Lm, prompt: Prompt, options: LmSessionOptions = {}) {
    this.lm = lm
    this.#options = options
    this.#ids = lm.encode(prompt)
  }

  /** The text so far. What ends a continuation is a part of it: the end token, or the tokens of a stop string. */
  get ids(): readonly number[] {
    return this.#ids
  }

  /** Tokens so far: what `rollback` takes. */
  get length(): number {
    return this.#ids.length
  }

  /** Adds ids or a text, which gets no start token. Returns the length before it. */
  append(more: string | readonly number[]): number {
    this.#checkIdle()
    const before = this.length
    for (const id of this.#encode(more)) this.#ids.push(id)
    return before
  }

  /** Lets the model go on; its tokens are a part of the text as soon as they are given out. One at a time. */
  async *generate(
    options: Omit<GenerateOptions, keyof LmSessionOptions> = {},
  ): AsyncGenerator<GenerationPiece, void, undefined> {
    this.#checkIdle()
    for (const name of ['adapter', 'cacheSalt'])
      if (name in options)
        throw new UsageError(`${name}: expected it where the session is made, got it for one of its continuations`)
    this.#isGenerating = true
    try {
      for await (const piece of this.lm.generate({ ...options, ...this.#options, ids: [...this.#ids] })) {
        for (const id of piece.tokenIds) this.#ids.push(id)
        yield piece
      }
    } finally {
      this.#isGenerating = false
    }
  }

  /** The log-probability of each token of a continuation that is not appended; null for a first token with nothing before it. */
  async score(continuation: string | readonly number[]): Promise<TokenLogProbs> {
    const more = this.#encode(continuation)
    if (more.length === 0) return []
    const { length } = this
    const [scores] = await this.lm.score([[...this.#ids, ...more]], { ...this.#options, from: [Math.max(1, length)] })
    return scores!.slice(length)
  }

  /** Another session with the same text, which goes its own way. */
  fork(): LmSession {
    return new LmSession(this.lm, { ids: this.#ids }, this.#options)
  }

  /** Keeps the first `length` tokens. */
  rollback(length: number): void {
    this.#checkIdle()
    if (!(Number.isInteger(length) && length >= 0 && length <= this.length))
      throw new UsageError(`length: expected a whole number from 0 to ${this.length}, got ${length}`)
    this.#ids.length = length
  }

  #encode(more: string | readonly number[]): readonly number[] {
    if (typeof more !== 'string') {
      const wrong = more.find((id) => !(Number.isInteger(id) && id >= 0 && id < this.lm.vocabSize))
      if (wrong === undefined) return more
      throw new UsageError(`ids: expected token ids from 0 to ${this.lm.vocabSize - 1}, got ${wrong}`)
    }
    return more === '' ? [] : this.lm.encode({ prompt: more, addSpecialTokens: false })
  }

  #checkIdle(): void {
    if (this.#isGenerating)
      throw new UsageError(
        'session: expected one that is not generating. Wait for the end of its continuation, or fork it',
      )
  }
}
