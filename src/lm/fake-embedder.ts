// An embedder that needs no weights, for tests of what is built on embedders: letters are tokens, and texts of the same letters are alike.

import { InputError } from '../errors.ts'
import type { Embedder } from './embedder.ts'

/** Around a text: control characters, which texts hardly have. */
const [BEFORE, AFTER] = [1, 2]

/** Makes up an embedder: a token is a character, its vector stands on the axis `id mod dimensions`, and a text's is the sum of its tokens', of length 1. */
export function fakeEmbedder({
  dimensions = 32,
  contextLength = 512,
}: Partial<Pick<Embedder, 'dimensions' | 'contextLength'>> = {}): Embedder {
  const encode: Embedder['encode'] = (text, { truncate = true } = {}) => {
    const inside = Array.from(text, (character) => character.codePointAt(0)!)
    return [BEFORE, ...(truncate ? inside.slice(0, contextLength - 2) : inside), AFTER]
  }
  const vector = (ids: readonly number[]): Float32Array => {
    const sum = new Float32Array(dimensions)
    for (const id of ids) sum[id % dimensions]! += 1
    const length = Math.hypot(...sum)
    return sum.map((value) => value / length)
  }
  const read = (text: string | readonly number[], index: number): readonly number[] => {
    if (typeof text === 'string') return encode(text)
    if (text.length > 0 && text.length <= contextLength) return text
    throw new InputError(`text ${index}: expected 1 to ${contextLength} tokens, got ${text.length}`)
  }
  return {
    dimensions,
    contextLength,
    encode,
    async embed(texts, { signal, onProgress } = {}) {
      signal?.throwIfAborted()
      const vectors = texts.map(read).map(vector)
      onProgress?.(texts.length, texts.length)
      return vectors
    },
    async embedTokens(texts, { signal } = {}) {
      signal?.throwIfAborted()
      return texts.map((text) => {
        const ids = encode(text)
        const vectors = Float32Array.from(ids.flatMap((id) => [...vector([id])]))
        return { ids: Int32Array.from(ids), vectors, before: 1, after: 1 }
      })
    },
  }
}
