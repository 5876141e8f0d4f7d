// What gives labels to texts, whatever stands behind it.
import type { Watch } from '../work.ts'

/** What a classifier says of one text. */
export interface Classification {
  /** The most probable label. */
  label: string
  /** What the text has: that label; or, where it may have several, all that are as probable as their thresholds, the most probable first, maybe none. */
  labels: string[]
  /** Of every label, in the order of the classifier's `labels`; they sum to one where a text has one label. */
  probabilities: number[]
  logits: number[]
}

/** Gives labels to texts. */
export interface TextLabeller {
  /** Names by id. */
  readonly labels: readonly string[]
  /** Probabilities from which a text has a label, by id; null where it has one label. */
  readonly thresholds: readonly number[] | null
  /** What it says of each text. Tells of `classifying` in rows, and of texts that it cut. */
  label(texts: readonly string[], options?: { batchSize?: number }, watch?: Watch): Promise<Classification[]>
  free(): void
}
