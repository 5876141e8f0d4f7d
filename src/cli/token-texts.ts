// What a token's id stands for, where numbers are written for programs: an id alone says nothing to whoever has no tokenizer.
import { UnsupportedError } from '../errors.ts'
import type { Lm } from '../lm/lm.ts'

/** The text of each token of `lm`, U+FFFD for a part of a character; undefined where it has no tokenizer. */
export function tokenTexts(lm: Lm): ((id: number) => string) | undefined {
  if (lm.tokenBytes === undefined) return undefined
  try {
    lm.tokenBytes(0)
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined
    throw error
  }
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return (id) => decoder.decode(lm.tokenBytes!(id))
}
