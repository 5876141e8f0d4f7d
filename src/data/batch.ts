// The currency between data and training: plain typed arrays, no tensors, so that the text side needs no LibTorch.

/** Label of a position that carries no loss (Hugging Face's ignore index). */
export const IGNORE_INDEX = -100

/**
 * One micro-batch of `rows` sequences of `length` tokens, row-major. `labels` line up with `inputIds`
 * (the objective shifts them, as in Transformers). Rows are right-padded; padding has label −100.
 * `positionIds` and `segmentIds` are present when several documents share a row and must not see each other.
 * `samples` says whose each position is, so that a loss can be told by sample: the index in the dataset (before packing), −1 for padding.
 * `attentionMask` is 1 for tokens and 0 for padding; present where a row is padded.
 */
export interface Batch {
  rows: number
  length: number
  inputIds: Int32Array
  labels: Int32Array
  positionIds?: Int32Array
  segmentIds?: Int32Array
  samples?: Int32Array
  attentionMask?: Uint8Array
}

/** Random access to micro-batches: `at(step)` depends on the seed and `step` only, so position is one number. */
export interface BatchSource<B = Batch> {
  /** Micro-batches in one epoch. */
  readonly batchesPerEpoch: number
  /** The sets that an epoch is made of, one after the other, where they have names; an evaluation is told for each of them, too. */
  readonly parts?: readonly { readonly name: string; readonly batches: number }[]
  at(index: number): B
}
