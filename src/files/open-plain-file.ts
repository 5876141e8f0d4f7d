// Opening a file of unknown origin: a named pipe or a device under its name would block for ever or never end.

import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { InputError } from '../errors.ts'
import { kindOf } from './output-file.ts'

/**
 * Opens a plain file for reading and returns its descriptor, which the caller closes, and its size in bytes. An InputError for a
 * directory, pipe, socket or device, links to them included; errors of the system, such as ENOENT, pass through.
 */
export function openPlainFile(file: string): { descriptor: number; size: number } {
  // Without O_NONBLOCK the opening itself would wait for somebody to write into a pipe.
  const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  const status = fstatSync(descriptor)
  if (status.isFile()) return { descriptor, size: status.size }
  closeSync(descriptor)
  throw new InputError(`cannot read ${file}: expected a plain file, got ${kindOf(status)}. Check the path`)
}
