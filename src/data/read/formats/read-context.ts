// What every format reader is given and what it yields, so that a new format is one small module.

import type { ByteSource } from '../../../files/byte-source.ts'
import type { DataLimits } from '../limits.ts'
import type { BadReason } from '../quarantine.ts'

/** A bad stretch of the file being read; the context adds the file's name. */
export interface BadStretch {
  reason: BadReason
  line: number
  offset: number
  length: number
  detail?: string
  bytes?: Uint8Array
}

/** The file being read, its limits, and where readers report. */
export interface ReadContext {
  readonly file: string
  /** Where its bytes are; without it, in the file of that name on this machine. */
  readonly source?: ByteSource | undefined
  readonly limits: DataLimits
  /** What its text is encoded in, as `TextDecoder` names it; offsets are then those of the text in UTF-8. Default UTF-8. */
  readonly encoding?: string | undefined
  /** Whether who called can name `encoding`, which is then the advice for a file in another one. Default false. */
  readonly namesEncoding?: boolean
  bad(stretch: BadStretch): void
  /** Counts lines that were read well, and their bytes. */
  good(lines: number, bytes: number): void
  /** Hears of bytes of the file as it is stored, once they are read. Absent where nobody counts them. */
  taken?(bytes: number): void
  /** Tells the user once about something surprising but harmless. */
  notice(message: string): void
}

/**
 * One row of a file: an object, or a string where the file is a list of strings. `offset` is in bytes of the
 * (decompressed) file and `line` counts from 1; in Parquet both count rows. `bytes` is the row as it stands in the file.
 */
export interface FileRow {
  row: Record<string, unknown> | string
  offset: number
  line: number
  length: number
  bytes?: Uint8Array
  /** The text goes on in the next row: a document that was cut for its length. */
  isContinued?: true
}
