// A therapy as data.

/** One type of therapy. */
export interface Therapy {
  /** By which it is chosen. */
  readonly type: string
  /** As it is called in a prompt. */
  readonly name: string
  /** The family of therapies that it belongs to; '' where it is not said. */
  readonly school: string
  /** What it holds, in a sentence. */
  readonly about: string
  /** What is done, in its order. */
  readonly stages: readonly string[]
}
