// A provider for the Vercel AI SDK that runs in this process: no server between a program and its model.

import { UsageError } from '../errors.ts'
import type { Embedder } from '../lm/embedder.ts'
import type { Lm } from '../lm/lm.ts'
import { embeddingReranker, judgeReranker, type Reranker } from '../lm/reranker.ts'
import { embedderModel, lmEmbeddingModel } from './embedding-model.ts'
import { languageModel } from './language-model.ts'
import { rerankingModel } from './reranking-model.ts'
import { NoSuchModelError } from './sdk-errors.ts'
import type { AiEmbeddingModel, AiLanguageModel, AiRerankingModel } from './specification.ts'

/** What a provider has besides its language model. */
export interface AnnealProviderOptions {
  /** An encoder, which `embeddingModel()` then is. Without one, that is the language model's own vectors. */
  embedder?: Embedder
  /** What `embeddingModel` knows it by. Default `embedder`. */
  embedderName?: string
  /** What `rerankingModel()` then is. Without one, that is the encoder's cosines, or where there is none, the language model's judgement. */
  reranker?: Reranker
  /** What `rerankingModel` knows it by. Default `reranker`. */
  rerankerName?: string
  /** Tokens of an answer at most, where a call does not say; the model's context ends it too. Default 4096. */
  maxOutputTokens?: number
}

/** A provider, as those of the AI SDK are: `anneal()` is `anneal.languageModel()`. */
export interface AnnealProvider {
  (modelId?: string): AiLanguageModel
  readonly specificationVersion: 'v3'
  /** The model, by `info.name` of the `Lm` (the default), or with an adapter, by the adapter's name. */
  languageModel(modelId?: string): AiLanguageModel
  /** The encoder by its name (the default where there is one), or the language model's own vectors, by the names that it has. */
  embeddingModel(modelId?: string): AiEmbeddingModel
  /**
   * The reranker by its name (the default where there is one), cosines of the encoder by the encoder's name (the default where there is
   * one), or the language model's judgement (`judgeReranker`) by the model's name.
   */
  rerankingModel(modelId?: string): AiRerankingModel
  /** There are none: throws `NoSuchModelError`. */
  imageModel(modelId: string): never
}

/**
 * A provider of `lm` for the AI SDK (`ai` 6 and 7), by `chat()`: streams, tools, schemas that hold, reasoning told apart, aborts. What the
 * SDK has no setting for stands in `providerOptions.anneal` of a call (`AnnealCallOptions`).
 *
 * @example
 * ```ts
 * import { streamText } from 'ai'
 * import { loadLm } from 'anneal'
 * import { createAnneal } from 'anneal/ai-sdk'
 *
 * const anneal = createAnneal(await loadLm('runs/demo/chat'))
 * const { textStream } = streamText({ model: anneal(), prompt: 'Which files hold the tokenizer?' })
 * for await (const text of textStream) process.stdout.write(text)
 * ```
 */
export function createAnneal(lm: Lm, options: AnnealProviderOptions = {}): AnnealProvider {
  const { embedder, embedderName = 'embedder', reranker, rerankerName = 'reranker', maxOutputTokens = 4096 } = options
  if (!(Number.isInteger(maxOutputTokens) && maxOutputTokens > 0))
    throw new UsageError(`maxOutputTokens: expected a whole number from 1, got ${maxOutputTokens}`)
  const ownName = lm.info?.name ?? 'anneal'
  const namesOfLm = (): string[] => [ownName, ...(lm.adapters ?? [])]
  const adapterOf = (modelId: string): string | undefined => (modelId === ownName ? undefined : modelId)

  const provideLanguageModel = (modelId = ownName): AiLanguageModel => {
    if (!namesOfLm().includes(modelId)) throw new NoSuchModelError(modelId, 'languageModel', namesOfLm())
    return languageModel(lm, { provider: 'anneal', modelId, adapter: adapterOf(modelId), maxOutputTokens })
  }
  const provideEmbeddingModel = (modelId = embedder === undefined ? ownName : embedderName): AiEmbeddingModel => {
    if (embedder !== undefined && modelId === embedderName) return embedderModel(embedder, 'anneal', modelId)
    const names = lm.embed === undefined ? [] : namesOfLm()
    if (lm.embed === undefined || !names.includes(modelId))
      throw new NoSuchModelError(modelId, 'embeddingModel', embedder === undefined ? names : [embedderName, ...names])
    return lmEmbeddingModel(lm, lm.embed, 'anneal', modelId, adapterOf(modelId))
  }
  const provideRerankingModel = (modelId?: string): AiRerankingModel => {
    const rerankers = new Map<string, () => Reranker>()
    if (reranker !== undefined) rerankers.set(rerankerName, () => reranker)
    if (embedder !== undefined) rerankers.set(embedderName, () => embeddingReranker(embedder))
    rerankers.set(ownName, () => judgeReranker(lm))
    const names = [...rerankers.keys()]
    const name = modelId ?? names[0]!
    const make = rerankers.get(name)
    if (make === undefined) throw new NoSuchModelError(name, 'rerankingModel', names)
    return rerankingModel(make(), 'anneal', name)
  }
  return Object.assign((modelId?: string) => provideLanguageModel(modelId), {
    specificationVersion: 'v3' as const,
    languageModel: provideLanguageModel,
    embeddingModel: provideEmbeddingModel,
    rerankingModel: provideRerankingModel,
    imageModel: (modelId: string): never => {
      throw new NoSuchModelError(modelId, 'imageModel', [])
    },
  })
}
