// How well documents answer a query, as the AI SDK asks it, in this process.

import type { Reranker } from '../lm/reranker.ts'
import { checkOptionNames } from '../option-names.ts'
import type { AiRerankingModel } from './specification.ts'

/** `reranker` as a model of the AI SDK. */
export function rerankingModel(reranker: Reranker, provider: string, modelId: string): AiRerankingModel {
  return {
    specificationVersion: 'v3',
    provider,
    modelId,
    async doRerank({ documents, query, topN, abortSignal, providerOptions }) {
      checkOptionNames('providerOptions.anneal', providerOptions?.anneal ?? {}, {})
      const texts =
        documents.type === 'text' ? documents.values : documents.values.map((value) => JSON.stringify(value))
      const { scores } = await reranker.rank(query, texts, abortSignal === undefined ? {} : { signal: abortSignal })
      const ranking = scores.map((relevanceScore, index) => ({ index, relevanceScore }))
      return { ranking: ranking.sort((a, b) => b.relevanceScore - a.relevanceScore).slice(0, topN) }
    },
  }
}
