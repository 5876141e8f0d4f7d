// Answers that were made before, by the hash of what was asked: the ones used last in memory, all of them on disk where there is a folder.

import { AnswerLog, type AnswerLogEvents, type StoredAnswer } from './answer-log.ts'

/** Where answers are kept, and for how long. */
export interface AnswerStoreOptions extends AnswerLogEvents {
  directory?: string
  /** In memory. */
  maxBytes: number
  /** On disk. */
  maxFileBytes: number
  ttlSeconds: number
}

/** Keeps answers. */
export class AnswerStore {
  readonly #options: AnswerStoreOptions
  /** As JSON, so that nobody who was given one can change it; the one used last is the last. */
  readonly #texts = new Map<string, string>()
  #bytes = 0
  readonly #log: AnswerLog | undefined

  constructor(options: AnswerStoreOptions) {
    this.#options = options
    const { directory, maxFileBytes: maxBytes, onFault } = options
    const onEntry = (entry: StoredAnswer): void => {
      if (this.#isFresh(entry)) options.onEntry(entry)
    }
    this.#log = directory === undefined ? undefined : new AnswerLog(directory, { maxBytes, onFault, onEntry })
  }

  /** Bytes of the texts in memory. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): StoredAnswer | undefined {
    const text = this.#texts.get(key)
    if (text !== undefined) {
      const kept = JSON.parse(text) as StoredAnswer
      this.#drop(key)
      if (!this.#isFresh(kept)) return this.#fromLog(key)
      this.#keep(key, text)
      return kept
    }
    return this.#fromLog(key)
  }

  put(entry: StoredAnswer): void {
    this.#keep(entry.key, JSON.stringify(entry))
    // The log tells of what it finds in its file, this one too, once it looks there again.
    if (this.#log === undefined) this.#options.onEntry(entry)
    else {
      this.#log.put(entry)
      this.#log.catchUp()
    }
  }

  #fromLog(key: string): StoredAnswer | undefined {
    const found = this.#log?.get(key)
    if (found === undefined || !this.#isFresh(found)) return undefined
    this.#keep(key, JSON.stringify(found))
    return found
  }

  #isFresh({ at }: StoredAnswer): boolean {
    // A clock that was set back says that it is to come: nobody knows how old it is.
    return Math.abs(Date.now() - at) < this.#options.ttlSeconds * 1000
  }

  #keep(key: string, text: string): void {
    this.#drop(key)
    this.#texts.set(key, text)
    this.#bytes += sizeOf(text)
    for (const oldest of this.#texts.keys()) {
      if (this.#bytes <= this.#options.maxBytes) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const text = this.#texts.get(key)
    if (text === undefined) return
    this.#texts.delete(key)
    this.#bytes -= sizeOf(text)
  }
}

/** V8 keeps two bytes for each unit of texts beyond Latin-1: no less than it takes. */
const sizeOf = (text: string): number => 2 * text.length
