// What is wrong with a script, and where: one line for every fault, the line it stands in, and a mark under it.

import { AnnealError } from '../../../errors.ts'

/** The text of a script and what it is called in errors. */
export interface ScriptSource {
  readonly name: string
  readonly text: string
}

/** One fault. Lines and columns count from 1, columns in characters. */
export interface ScriptFault {
  readonly line: number
  readonly column: number
  /** What was expected, what came, what to do. */
  readonly message: string
  /** The line as it stands, and a second line with `^` under the place. */
  readonly excerpt: string
}

/** A script that cannot be read, or does not hold together. The message is the first fault's; `faults` has all that were found. Exit 2. */
export class ScriptError extends AnnealError {
  override readonly exitCode = 2
  readonly faults: readonly ScriptFault[]

  constructor(source: string, faults: readonly ScriptFault[]) {
    const [first] = faults
    const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
    super(`${source}:${first!.line}:${first!.column}: ${first!.message}${more}`)
    this.faults = faults
  }
}

/** Characters of a line that are shown. */
const WIDTH = 100

/** The fault at a place of a script. */
export function faultAt({ text }: ScriptSource, at: number, message: string): ScriptFault {
  const start = text.lastIndexOf('\n', at - 1) + 1
  const end = text.indexOf('\n', start)
  const line = text.slice(start, end < 0 ? text.length : end)
  const before = [...line.slice(0, at - start)]
  const first = Math.max(0, before.length - Math.floor(WIDTH / 2))
  const shown = [...line.slice(0, at - start + WIDTH)].slice(first, first + WIDTH).join('')
  const mark = `${' '.repeat(before.length - first)}^`
  return {
    line: lineOf(text, start),
    column: before.length + 1,
    message,
    excerpt: `${shown.replaceAll(/[\t\r]/g, ' ')}\n${mark}`,
  }
}

function lineOf(text: string, start: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < start; at = text.indexOf('\n', at + 1)) line++
  return line
}
