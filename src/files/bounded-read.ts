// Reading a small file of unknown origin: a named pipe would block for ever, and a huge file would fill the memory.

import { closeSync, readSync } from 'node:fs'
import { InputError } from '../errors.ts'
import { openPlainFile } from './open-plain-file.ts'

/** The bytes of a plain file of at most `maxBytes`; an InputError for anything else. System errors pass through. */
export function readBounded(file: string, maxBytes: number): Buffer {
  const { descriptor, size } = openPlainFile(file)
  try {
    if (size > maxBytes)
      throw new InputError(`cannot read ${file}: expected at most ${maxBytes} bytes, got ${size}. Replace it`)
    const bytes = Buffer.allocUnsafe(size)
    let length = 0
    while (length < size) {
      const count = readSync(descriptor, bytes, length, size - length, length)
      if (count === 0) break // it became shorter meanwhile
      length += count
    }
    return bytes.subarray(0, length)
  } finally {
    closeSync(descriptor)
  }
}
