// One progress bar after the other for the phases of choosing formats.

import type { Output } from '../../cli/output.ts'
import { type Progress, startProgress } from '../../cli/progress.ts'
import type { Watcher } from '../../methods/quantize/quantize.ts'

const UNITS = { quantizing: 'matrices', measuring: 'batches', searching: 'assignments' } as const

export class FormatProgress {
  private readonly output: Output
  private phase: string | undefined
  private bar: Progress | undefined

  constructor(output: Output) {
    this.output = output
  }

  get watcher(): Pick<Watcher, 'onProgress' | 'onTrial'> {
    return {
      onProgress: (phase, done, total) => {
        if (phase !== this.phase) {
          this.end()
          this.phase = phase
          if (total > 1) this.bar = startProgress(this.output, { label: phase, unit: UNITS[phase], total })
        }
        this.bar?.update(done)
      },
      onTrial: ({ bytes, loss, promised }) => {
        this.output.emit({ trial: { bytes, loss, promised } })
      },
    }
  }

  end(): void {
    this.bar?.end()
    this.bar = undefined
    this.phase = undefined
  }
}
