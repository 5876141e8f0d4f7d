// A line at the end of a file that others add to as well: the whole line or nothing of it, also where the disk is full.
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'

/** Appends `line` and a line end to `file`, which is made where there is none; an error names the file and leaves it as it was. `write` as `writeSync`. */
export function appendLine(file: string, line: string, write: typeof writeSync = writeSync): void {
  const isNew = !existsSync(file)
  const descriptor = openSync(file, 'a')
  try {
    const { size } = fstatSync(descriptor)
    const bytes = Buffer.from(`${line}\n`)
    try {
      for (let written = 0; written < bytes.length; ) written += write(descriptor, bytes, written)
    } catch (error) {
      ftruncateSync(descriptor, size)
      if (isNew) rmSync(file)
      throw Object.assign(error as Error, { path: file })
    }
  } finally {
    closeSync(descriptor)
  }
}
