/** One training sequence before batching. `labels` line up with `ids`; −100 carries no loss. */
export interface Sample {
  ids: Int32Array
  labels: Int32Array
  /** Start offset of each document in the row, first is 0; absent means one document. */
  starts?: Int32Array
  /** Indices of the samples that a packed row was made of, one for each of `starts`; absent where a row is one sample. */
  members?: Int32Array
}

/** A finite list with random access: a packed corpus, a tokenized chat set, preference pairs. */
export interface Dataset<T> {
  readonly length: number
  get(index: number): T
}
