// What names the weights of a model directory, for lineage and journals.
import { hashFile, hashText } from '../../files/hash.ts'
import { openModelWeights } from './model-weights.ts'

/** sha256 of the weights' file, in hexadecimal; of several files, of their hashes in the order of their names. */
export function hashWeights(directory: string): string {
  const hashes = openModelWeights(directory).files.map(hashFile)
  return hashes.length === 1 ? hashes[0]! : hashText(hashes.join('\n'))
}
