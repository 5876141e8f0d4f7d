// Recognises weight files that Anneal refuses to read. Pickle runs code when it is loaded, and every "safe" loader for it
// has been broken, so there is no reader for it here and no fallback: only this message.

import { InputError } from '../../errors.ts'

const SUFFIXES = [
  '.bin',
  '.pt',
  '.pth',
  '.ckpt',
  '.pkl',
  '.pickle',
  '.joblib',
  '.npy',
  '.npz',
  '.h5',
  '.hdf5',
  '.keras',
]

const MAGICS: readonly (readonly [format: string, ...bytes: number[]])[] = [
  ['a zip archive (PyTorch, Keras or NumPy)', 0x50, 0x4b, 0x03, 0x04],
  ['an empty zip archive', 0x50, 0x4b, 0x05, 0x06],
  ['a NumPy array', 0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59],
  ['an HDF5 file (Keras)', 0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a],
  ['a GGUF file', 0x47, 0x47, 0x55, 0x46],
  ['a gzip stream (joblib)', 0x1f, 0x8b],
  ['a zlib stream (joblib)', 0x78, 0x01],
  ['a zlib stream (joblib)', 0x78, 0x5e],
  ['a zlib stream (joblib)', 0x78, 0x9c],
  ['a zlib stream (joblib)', 0x78, 0xda],
  ['a pickle', 0x80, 0x01],
  ['a pickle', 0x80, 0x02],
  ['a pickle', 0x80, 0x03],
  ['a pickle', 0x80, 0x04],
  ['a pickle', 0x80, 0x05],
]

/** True for names such as `pytorch_model.bin` whose format may run code when it is read. */
export function hasPickleSuffix(name: string): boolean {
  return SUFFIXES.some((suffix) => name.toLowerCase().endsWith(suffix))
}

/**
 * Throws an InputError if the name of `file` or its first bytes (`head`, 9 or more where the file has them) belong to a
 * pickle-based or other foreign weight format.
 */
export function refuseForeignFormat(file: string, head: Uint8Array): void {
  if (hasPickleSuffix(file)) throw refusal(file, `the suffix of ${JSON.stringify(file.slice(file.lastIndexOf('.')))}`)
  // A safetensors file may begin with any of these bytes too, as the length of its header, but then `{` follows at byte 8.
  if (head[8] === 0x7b) return
  const found = MAGICS.find(([, ...magic]) => magic.every((byte, index) => head[index] === byte))
  if (found !== undefined) throw refusal(`${file}:0`, found[0])
  // Protocol 0 of pickle is text and has no magic; these are how its objects begin in practice.
  const text = Buffer.from(head).toString('latin1')
  if (isLfsPointer(text)) throw lfsPointer(file)
  if (/^(?:\(?[cd][\w.]*\n|\(?[dl]p\d|ccopy_reg|\(i)/.test(text)) throw refusal(`${file}:0`, 'a text pickle')
}

/** Whether a file begins as the pointers do that git has in place of large files. */
function isLfsPointer(text: string): boolean {
  return text.startsWith('version https://git-lfs')
}

/** The InputError for a pointer in place of weights: the clone was made without Git LFS. */
export function lfsPointer(file: string): InputError {
  return new InputError(
    `${file}: expected weights, got a pointer of Git LFS that stands for them. Get them: git lfs pull in its folder, or anneal pull ORG/NAME`,
  )
}

function refusal(where: string, got: string): InputError {
  return new InputError(
    `foreign weight format in ${where}: expected safetensors, got ${got}. pickle formats are never read; convert to safetensors`,
  )
}
