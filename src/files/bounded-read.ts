// Reading a small file of unknown origin: a named pipe would block for ever, and a huge file would fill the memory.

import { readFileSync, statSync } from 'node:fs'
import { InputError } from '../errors.ts'

/** The bytes of a plain file of at most `maxBytes`; an InputError for anything else. System errors pass through. */
export function readBounded(file: string, maxBytes: number): Buffer {
  const status = statSync(file)
  if (status.isFile() && status.size <= maxBytes) return readFileSync(file)
  const got = status.isFile() ? `${status.size} bytes` : 'something else'
  throw new InputError(
    `cannot read ${file}: expected a plain file of at most ${maxBytes} bytes, got ${got}. Replace it`,
  )
}
