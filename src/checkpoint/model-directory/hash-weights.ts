// What names the weights of a model directory, for lineage and journals.
import { createHash } from 'node:crypto'
import { hashFile } from '../run-directory/manifest.ts'
import { openModelWeights } from './model-weights.ts'

/** sha256 of the weights' file, in hexadecimal; of several files, of their hashes in the order of their names. */
export function hashWeights(directory: string): string {
  const hashes = openModelWeights(directory).files.map(hashFile)
  return hashes.length === 1 ? hashes[0]! : createHash('sha256').update(hashes.join('\n')).digest('hex')
}
