// What gives texts vectors, whoever gives them: an embedder, a model, or a function.

import { UnsupportedError, UsageError } from '../../errors.ts'

/** A function, or what has one: an `Embedder` of `anneal/lm`, a `Model` that embeds. */
export type Embed =
  | ((texts: readonly string[]) => Promise<readonly Float32Array[]> | readonly Float32Array[])
  | {
      embed?(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<readonly Float32Array[]>
    }

/** The vectors of texts, made to length 1. UsageError where they are not one for each, of one length and of numbers. */
export async function unitVectors(
  embed: Embed,
  texts: readonly string[],
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  if (texts.length === 0) return []
  if (typeof embed !== 'function' && embed.embed === undefined)
    throw new UnsupportedError('embed: expected what gives vectors, got a model without. Give an embedder')
  const given = typeof embed === 'function' ? await embed(texts) : await embed.embed!(texts, signal && { signal })
  signal?.throwIfAborted()
  if (given.length !== texts.length)
    throw new UsageError(`embed: expected ${texts.length} vectors, one for each text, got ${given.length}`)
  return given.map((vector, i) => {
    let squares = 0
    for (const value of vector) squares += value * value
    if (!Number.isFinite(squares) || vector.length === 0 || vector.length !== given[0]!.length)
      throw new UsageError(
        `embed: expected ${given[0]!.length} numbers for text ${i}, got ${vector.length || 'none'}${Number.isFinite(squares) ? '' : ', with one that is not finite'}`,
      )
    const length = Math.sqrt(squares)
    return length === 0 ? vector : vector.map((value) => value / length)
  })
}
