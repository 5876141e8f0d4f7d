// Who goes through which adapter now, so that one is not taken away from under a text.

/** Counts uses by name. */
export class AdapterUses {
  readonly #counts = new Map<string, number>()
  readonly #waiting: { name: string; resolve: () => void }[] = []

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

  /** Resolves when nobody uses `name`. */
  async whenUnused(name: string): Promise<void> {
    while (this.#countOf(name) > 0) await new Promise<void>((resolve) => this.#waiting.push({ name, resolve }))
  }

  #countOf(name: string): number {
    return this.#counts.get(name) ?? 0
  }
}
