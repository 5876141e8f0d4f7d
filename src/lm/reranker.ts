// How well documents answer a query, by what is at hand: vectors of both, or a language model that is asked. A cross-encoder, which reads
// both together, is `openReranker` of `anneal/run`.

import { UnsupportedError } from '../errors.ts'
import type { ChatMessage } from '../text/chat-template.ts'
import { dotProduct, type Embedder } from './embedder.ts'
import type { GenerateRequest, Lm, Prompt } from './lm.ts'

/** How each document fits, in the order of the documents; the larger the better. */
export interface Ranking {
  scores: number[]
  /** Tokens that were read, of queries and documents and of what stands around them. */
  promptTokens: number
}

/** Scores documents by a query. Documents that are longer than what is read together with the query are cut. */
export interface Reranker {
  rank(query: string, documents: readonly string[], options?: { signal?: AbortSignal }): Promise<Ranking>
}

/** By the cosine of the vectors of query and document, from −1 to 1. */
export function embeddingReranker(model: Embedder | Lm): Reranker {
  const [encode, embed] = 'embedTokens' in model ? byEmbedder(model) : byLm(model)
  return {
    async rank(query, documents, options = {}) {
      const texts = [query, ...documents].map(encode)
      const [asked, ...found] = await embed(texts, options)
      return {
        scores: found.map((vector) => dotProduct(asked!, vector)),
        promptTokens: texts.reduce((sum, ids) => sum + ids.length, 0),
      }
    },
  }
}

type Embed = (texts: readonly number[][], options: { signal?: AbortSignal }) => Promise<Float32Array[]>

const byEmbedder = (embedder: Embedder): [(text: string) => number[], Embed] => [
  (text) => embedder.encode(text),
  (texts, options) => embedder.embed(texts, options),
]

function byLm(lm: Lm): [(text: string) => number[], Embed] {
  if (lm.embed === undefined)
    throw new UnsupportedError('reranker: expected a model that gives vectors, got one without embed')
  return [
    (text) => lm.encode({ prompt: text }).slice(0, lm.contextLength),
    (texts, options) =>
      lm.embed!(
        texts.map((ids) => ({ ids })),
        options,
      ),
  ]
}

/** What `judgeReranker` asks, with the query and a document in their places. The query comes first, so that it is read once for all documents. */
export const JUDGE_PROMPT: string = `Does the document answer the query? Say yes or no.

Query: {query}

Document: {document}`

/**
 * By the probability that a language model says yes and not no to {@link JUDGE_PROMPT}, from 0 to 1: the two tokens' share of each other. A
 * model without a chat template gets it as a text that ends with `Answer:`.
 */
export function judgeReranker(lm: Lm): Reranker {
  const [yes, no] = ['yes', 'no'].map((word) => firstToken(lm, lm.canChat ? word : ` ${word}`)) as [number, number]
  if (yes === no) throw new UnsupportedError('reranker: expected a model whose yes and no begin with other tokens')
  const promptOf = (query: string, document: string): Prompt => {
    const parts = { query, document }
    const content = JUDGE_PROMPT.replaceAll(/\{(query|document)\}/g, (_, name: keyof typeof parts) => parts[name])
    const messages: ChatMessage[] = [{ role: 'user', content }]
    return lm.canChat ? { messages } : { prompt: `${content}\n\nAnswer:` }
  }
  const requestFor = (query: string, document: string): GenerateRequest => {
    const room = lm.contextLength - 1
    const prompt = promptOf(query, document)
    const excess = lm.encode(prompt).length - room
    const options = { maxNewTokens: 1, temperature: 0, logprobTokenIds: [yes, no] }
    if (excess <= 0) return { ...prompt, ...options }
    // A few more, for what is cut may be encoded otherwise.
    const ids = lm.encode({ prompt: document, addSpecialTokens: false }).slice(0, -(excess + 8))
    return { ...promptOf(query, lm.decode(ids)), ...options }
  }
  return {
    async rank(query, documents, { signal } = {}) {
      const more = signal === undefined ? {} : { signal }
      const requests = documents.map((document) => ({ ...requestFor(query, document), ...more }))
      const answers = await lm.generateAll(requests)
      signal?.throwIfAborted()
      return {
        scores: answers.map(({ logprobs }) => {
          const [forYes, forNo] = logprobs![0]!.named!
          return 1 / (1 + Math.exp(forNo!.logprob - forYes!.logprob))
        }),
        promptTokens: answers.reduce((sum, { usage }) => sum + usage.promptTokens, 0),
      }
    },
  }
}

/** The first token of a word that is more than white space: some tokenizers have one for the space alone. */
function firstToken(lm: Lm, word: string): number {
  const ids = lm.encode({ prompt: word, addSpecialTokens: false })
  return ids.find((id) => lm.decode([id]).trim() !== '') ?? ids[0]!
}
