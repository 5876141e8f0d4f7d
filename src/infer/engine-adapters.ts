// The adapters of an engine: which may be named, who goes through which now, and none that is taken away from under a text.

import { UnsupportedError, UsageError } from '../errors.ts'
import type { ModelAdapters } from './model-adapters.ts'

export class EngineAdapters {
  readonly #adapters: ModelAdapters | undefined
  /** Uses by name. */
  readonly #counts = new Map<string, number>()
  readonly #waiting: { name: string; resolve: () => void }[] = []
  /** Those that are given up once their texts have ended. */
  readonly #leaving = new Set<string>()

  constructor(adapters: ModelAdapters | undefined) {
    this.#adapters = adapters
  }

  get names(): readonly string[] {
    return (this.#adapters?.names ?? []).filter((name) => !this.#leaving.has(name))
  }

  /** UsageError for a name that there is not; null is the model alone. */
  check(name: string | null): void {
    if (name === null || this.names.includes(name)) return
    const known = this.names.length === 0 ? 'none, for the model has no adapters' : this.names.join(', ')
    throw new UsageError(`adapter: expected ${known}, got ${JSON.stringify(name)}`)
  }

  /** What `body` computes of `count` rows goes through one of them. */
  during<T>(adapter: string | null, count: number, body: () => T): T {
    return this.#adapters === undefined ? body() : this.#adapters.during([{ adapter, begin: 0, end: count }], body)
  }

  /** One use more; what is returned ends it, once. Null is no adapter, and nothing is counted. */
  begin(name: string | null): () => void {
    if (name === null) return () => {}
    this.#counts.set(name, this.#countOf(name) + 1)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#counts.set(name, this.#countOf(name) - 1)
      if (this.#countOf(name) > 0) return
      this.#counts.delete(name)
      for (const one of this.#waiting.filter((waiting) => waiting.name === name)) {
        this.#waiting.splice(this.#waiting.indexOf(one), 1)
        one.resolve()
      }
    }
  }

  /** `body` goes through an adapter, which is not given up before it has ended. */
  async using<T>(adapter: string | null | undefined, body: () => Promise<T>): Promise<T> {
    const end = this.begin(adapter ?? null)
    try {
      return await body()
    } finally {
      end()
    }
  }

  load(name: string, directory: string): void {
    const adapters = this.#changeable()
    if (adapters.names.includes(name))
      throw new UsageError(`adapter: expected a name that is free, got ${JSON.stringify(name)}. Unload that one first`)
    adapters.load(name, directory)
  }

  /** Resolves when the texts that go through it have ended and it is gone; with `isFreed`, when it was gone with the model. */
  async unload(name: string, isFreed: () => boolean): Promise<void> {
    const adapters = this.#changeable()
    this.#leaving.add(name)
    try {
      while (this.#countOf(name) > 0) await new Promise<void>((resolve) => this.#waiting.push({ name, resolve }))
      if (!isFreed()) adapters.unload(name)
    } finally {
      this.#leaving.delete(name)
    }
  }

  #changeable(): Required<ModelAdapters> {
    const adapters = this.#adapters
    if (adapters?.load !== undefined && adapters.unload !== undefined) return adapters as Required<ModelAdapters>
    throw new UnsupportedError(
      'adapter: expected a model that takes adapters in while it runs, got one whose adapters are always on. Load it without them',
    )
  }

  #countOf(name: string): number {
    return this.#counts.get(name) ?? 0
  }
}
