// non-finite.json beside the checkpoints: what to look at after a step whose loss or gradient was not finite.

import { join } from 'node:path'
import { DiskFullError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import type { NonFiniteReport } from '../../train/non-finite-report.ts'

/** Writes the report of the last such step; numbers that JSON does not know become text. */
export function saveNonFinite(directory: string, report: NonFiniteReport): void {
  const text = JSON.stringify(
    report,
    (_, value: unknown) => (typeof value === 'number' && !Number.isFinite(value) ? `${value}` : value),
    2,
  )
  try {
    writeFileAtomic(join(directory, 'non-finite.json'), `${text}\n`)
  } catch (error) {
    // The run may go on without its report.
    if (!(error instanceof DiskFullError)) throw error
  }
}
