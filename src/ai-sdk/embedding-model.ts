// Vectors of texts as the AI SDK asks for them, in this process: of an encoder, or of the language model itself.

import type { Embedder } from '../lm/embedder.ts'
import type { HiddenOptions, Lm } from '../lm/lm.ts'
import { checkOptionNames } from '../option-names.ts'
import type { AiEmbeddingModel } from './specification.ts'

/** What `providerOptions.anneal` may say of one call for vectors of the language model itself, with the meanings of `HiddenOptions`. */
export type AnnealEmbeddingOptions = Pick<HiddenOptions, 'pooling' | 'adapter'>

/** An encoder as an embedding model of the AI SDK. */
export function embedderModel(embedder: Embedder, provider: string, modelId: string): AiEmbeddingModel {
  return {
    ...fixed(provider, modelId),
    async doEmbed({ values, abortSignal: signal, providerOptions }) {
      checkOptionNames('providerOptions.anneal', providerOptions?.anneal ?? {}, {})
      const texts = values.map((value) => embedder.encode(value))
      const vectors = await embedder.embed(texts, signal === undefined ? {} : { signal })
      const tokens = texts.reduce((sum, ids) => sum + ids.length, 0)
      return { embeddings: vectors.map((vector) => Array.from(vector)), usage: { tokens }, warnings: [] }
    },
  }
}

/** A language model's own vectors: `embed` is `lm.embed`. */
export function lmEmbeddingModel(
  lm: Lm,
  embed: NonNullable<Lm['embed']>,
  provider: string,
  modelId: string,
  adapter: string | undefined,
): AiEmbeddingModel {
  return {
    ...fixed(provider, modelId),
    async doEmbed({ values, abortSignal: signal, providerOptions }) {
      const own: AnnealEmbeddingOptions = providerOptions?.anneal ?? {}
      checkOptionNames('providerOptions.anneal', own, { pooling: true, adapter: true })
      const prompts = values.map((prompt) => ({ prompt }))
      const vectors = await embed.call(lm, prompts, {
        ...(adapter !== undefined && { adapter }),
        ...own,
        ...(signal !== undefined && { signal }),
      })
      const tokens = prompts.reduce((sum, prompt) => sum + lm.encode(prompt).length, 0)
      return { embeddings: vectors.map((vector) => Array.from(vector)), usage: { tokens }, warnings: [] }
    },
  }
}

const fixed = (provider: string, modelId: string) =>
  ({
    specificationVersion: 'v3',
    provider,
    modelId,
    maxEmbeddingsPerCall: Number.POSITIVE_INFINITY,
    supportsParallelCalls: true,
  }) as const
