// Long work's events on an `Output`: a bar for each label, rows and results as JSON lines. Until commands print events themselves.
import type { Output } from '../cli/output.ts'
import { type Progress, startProgress } from '../cli/progress.ts'
import type { Tell } from '../work.ts'

/** Shows what is told; `log` prints a line above the bar. */
export function showOn(
  output: Output,
  onRow: (row: Readonly<Record<string, string | number | null>>, log: (line: string) => void) => void = () => {},
): { tell: Tell; end(): void } {
  let label: string | undefined
  let bar: Progress | undefined
  const end = (): void => {
    bar?.end()
    bar = undefined
    label = undefined
  }
  return {
    end,
    tell: (event) => {
      if (event.type === 'row') onRow(event.row, (line) => (bar === undefined ? output.note(line) : bar.log(line)))
      if (event.type === 'notice') output.note(`notice: ${event.message}`)
      if (event.type !== 'progress') return
      if (event.label !== label) {
        end()
        label = event.label
        const { total, unit } = event
        if ((total ?? 2) > 1)
          bar = startProgress(output, { label: event.label, unit, ...(total !== undefined && { total }) })
      }
      bar?.update(event.done)
    },
  }
}
