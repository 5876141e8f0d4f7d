// JSON from outside: a bound on its bytes and on its nesting, so that no file blocks, fills the memory or overflows the stack.

import { hasCode, InputError } from '../errors.ts'
import { readBounded } from './bounded-read.ts'

/** Enough for any configuration: published ones take a few kilobytes. */
export const MAX_CONFIG_BYTES: number = 10 << 20
/** Levels of arrays and objects. */
export const MAX_JSON_DEPTH = 64

/** Parses a plain JSON file; an InputError if it is missing, no plain file, larger than `maxBytes`, too deep or no JSON. */
export function readJsonFile(file: string, maxBytes: number = MAX_CONFIG_BYTES): unknown {
  try {
    return parseJson(readBounded(file, maxBytes).toString('utf8'), file)
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    throw new InputError(`${file}: expected a file, got nothing. Check the path`, { cause: error })
  }
}

/** Parses JSON of at most {@link MAX_JSON_DEPTH} levels; an InputError, naming `file`, for anything else. */
export function parseJson(text: string, file: string): unknown {
  const depth = jsonDepth(text)
  if (depth > MAX_JSON_DEPTH)
    throw new InputError(`${file}: expected at most ${MAX_JSON_DEPTH} levels of nesting, got ${depth}. Replace it`)
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (cause) {
    throw new InputError(`${file}: expected JSON, got something else: ${(cause as Error).message}`, { cause })
  }
}

/** How deeply arrays and objects nest, in one pass without recursion. */
function jsonDepth(text: string): number {
  let depth = 0
  let deepest = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x22) {
      i = endOfString(text, i)
    } else if (unit === 0x5b || unit === 0x7b) {
      depth++
      if (depth > deepest) deepest = depth
    } else if (unit === 0x5d || unit === 0x7d) depth--
  }
  return deepest
}

/** Index of the quote that ends the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x5c) i++
    else if (unit === 0x22) return i
  }
  return text.length
}
