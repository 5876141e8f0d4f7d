// A GGUF file as what an engine is made of: model, tokenizer, and nothing else to look for.

import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { UnsupportedError } from '../errors.ts'
import type { Decoder } from '../model/decoder.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { decoderFromGguf, type GgufLoadOptions } from './load-model.ts'
import { type GgufHeader, readGguf } from './read.ts'
import { tokenizerFromMetadata } from './tokenizer-from-metadata.ts'
import { MAGIC } from './values.ts'

/** True for a path that ends in `.gguf`, and for a file that begins as one. */
export function isGguf(path: string): boolean {
  if (path.toLowerCase().endsWith('.gguf')) return true
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false
  const descriptor = openSync(path, 'r')
  try {
    const start = Buffer.alloc(4)
    readSync(descriptor, start)
    return start.readUInt32LE() === MAGIC
  } finally {
    closeSync(descriptor)
  }
}

/** Loads the model and the tokenizer of a GGUF file. A tokenizer that cannot be rebuilt is taken from a tokenizer.json beside the file. */
export async function loadGgufParts(
  file: string,
  options: GgufLoadOptions = {},
): Promise<{ model: Decoder; tokenizer: Tokenizer | undefined }> {
  const header = readGguf(file)
  const tokenizer = await loadGgufTokenizer(header)
  return { model: decoderFromGguf(header, options), tokenizer }
}

/** The tokenizer alone. */
export async function loadGgufTokenizer(file: string | GgufHeader): Promise<Tokenizer | undefined> {
  const header = typeof file === 'string' ? readGguf(file) : file
  try {
    return tokenizerFromMetadata(header)
  } catch (error) {
    const directory = dirname(header.file)
    if (!(error instanceof UnsupportedError && existsSync(join(directory, 'tokenizer.json')))) throw error
    return Tokenizer.fromDirectory(directory)
  }
}
