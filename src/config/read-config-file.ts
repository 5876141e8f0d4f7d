// A file of configuration as text.

import { hasCode, InputError } from '../errors.ts'
import { readBounded } from '../files/bounded-read.ts'
import { MAX_YAML_BYTES } from './read-yaml.ts'

/** Reads it whole; InputError where there is none. */
export function readConfigFile(file: string): string {
  try {
    return readBounded(file, MAX_YAML_BYTES).toString('utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new InputError(`configuration ${file}: expected a YAML file, got nothing. Check the path`)
    throw error
  }
}
