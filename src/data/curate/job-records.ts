// The records of a job one by one, from where an earlier try came to. What that one has seen is read again, as an archive can only be
// read from its beginning, but not judged again.

import type { BadStretch } from '../read/formats/read-context.ts'
import { type JobRecord, type JobReport, readJob } from './read-job.ts'
import type { Job, SourceSettings } from './settings.ts'

/** Records, bad stretches and notices that a reader has given. */
export interface Seen {
  records: number
  bad: number
  notices: number
}

/** Reads a job; bad stretches and notices go to whoever is `report` at the time. */
export class JobRecords {
  /** What has been read so far. */
  readonly seen: Seen = { records: 0, bad: 0, notices: 0 }
  isOver = false
  report: JobReport | undefined
  private taken = 0
  private readonly skipped: Seen
  private readonly progress: (bytes: number) => void
  private readonly records: AsyncIterator<JobRecord>

  /** `skipped` of them are left out. `progress` hears with each record, those left out included, how much of the file was read for it. */
  constructor(job: Job, source: SourceSettings, skipped: Seen, progress: (bytes: number) => void) {
    this.skipped = skipped
    this.progress = progress
    const bad = (stretch: BadStretch): void => {
      if (this.isNew('bad')) this.report!.bad(stretch)
    }
    const notice = (message: string): void => {
      if (this.isNew('notices')) this.report!.notice(message)
    }
    const taken = (bytes: number): void => {
      this.taken += bytes
    }
    this.records = readJob(job, source, { bad, notice, taken })[Symbol.asyncIterator]()
  }

  /** The next record; undefined at the end. */
  async next(): Promise<JobRecord | undefined> {
    for (;;) {
      const found = await this.records.next()
      if (found.done === true) {
        this.isOver = true
        return undefined
      }
      this.progress(this.taken)
      this.taken = 0
      if (this.isNew('records')) return found.value
    }
  }

  /** Each kind by itself: which comes first where is the reader's affair. */
  private isNew(kind: keyof Seen): boolean {
    return ++this.seen[kind] > this.skipped[kind]
  }
}
