// The limits that keep hostile data files from eating the machine, in one table.
// They are bounds against bombs, not tuning knobs: ordinary corpora stay far below each of them.

const MiB = 1024 * 1024

/** Bounds on what one data file may make us hold or expand; sizes in bytes. */
export interface DataLimits {
  /** One JSON row, CSV record or line. Longer ones are quarantined without being held in memory. */
  maxLineBytes: number
  /** A text file longer than this becomes several documents, cut at paragraph ends. */
  maxDocumentBytes: number
  /** Expanded bytes per compressed byte, judged once `freeExpansionBytes` have been expanded. Text packs 3–20:1. */
  maxExpansion: number
  freeExpansionBytes: number
  /** Expanded size of the columns read from one Parquet row group, which is decoded as a whole. */
  maxRowGroupBytes: number
  /** Values of one column in a Parquet row group: every value costs some memory whatever it holds. */
  maxRowGroupValues: number
  /** Columns of a table, or keys of a JSON row. */
  maxColumns: number
  /** Nesting of a JSON row. */
  maxDepth: number
}

/** The limits used where a caller sets none. */
export const DEFAULT_LIMITS: DataLimits = {
  maxLineBytes: 32 * MiB,
  maxDocumentBytes: MiB,
  maxExpansion: 200,
  freeExpansionBytes: 64 * MiB,
  maxRowGroupBytes: 512 * MiB,
  maxRowGroupValues: 16 * MiB,
  maxColumns: 10_000,
  maxDepth: 512,
}
