// The adapters of a model, as the scheduler switches them: another one for each range of rows. Implemented where the adapters are (LoRA).

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
}
