// The adapters of a model, as the scheduler switches them: another one for each range of rows. Implemented where the adapters are (LoRA).

import type { Layer } from '../nn/layer.ts'

/** Rows `begin … end − 1` of a call go through `adapter`; null: through the model alone. */
export interface RowSpan {
  adapter: string | null
  begin: number
  end: number
}

/** What a scheduler may do with the adapters of its model. */
export interface ModelAdapters {
  /** Names that a request may ask for. */
  readonly names: readonly string[]
  /** What `body` computes goes through the adapters of `spans`, which cover all rows in order. */
  during<T>(spans: readonly RowSpan[], body: () => T): T
  /** What an adapter is now: another text once another one has its name, or its weights were written. What it computed before is not kept. */
  versionOf(name: string): string
  /** What computes at a layer's place where no adapter does. */
  baseOf(layer: Layer): Layer
  /**
   * Takes another one in from its directory while the others go on. InputError for a directory that is broken or of another model,
   * UsageError for a name that is taken or cannot be one; all is as it was then.
   */
  load?(name: string, directory: string): void
  /** Gives one up and frees its weights. Nothing may go through it any more. */
  unload?(name: string): void
}
