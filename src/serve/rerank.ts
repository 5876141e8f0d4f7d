// POST /v1/rerank: documents in the order in which they answer a query, in the shape of Jina and Cohere.

import { z } from 'zod'
import { ApiError } from './api-error.ts'
import type { Fields } from './fields.ts'
import { readFields } from './read-fields.ts'
import { type Call, modelNotFound } from './service.ts'

export interface RerankFields {
  model?: string | undefined
  query: string
  documents: (string | { text: string })[]
  top_n?: number | undefined
  return_documents?: boolean | undefined
}

export const RERANK: Fields<RerankFields> = {
  model: z.string().optional(),
  query: z.string().min(1),
  documents: z
    .array(z.union([z.string(), z.object({ text: z.string() })]))
    .min(1)
    .max(1024),
  top_n: z.int().min(1).optional(),
  return_documents: z.boolean().optional().describe('Default true'),
}

/** Answers the request, the most relevant document first. */
export async function rerank(call: Call): Promise<Response> {
  const { service, trace, signal, key } = call
  const fields = readFields(RERANK, call)
  const { reranker } = service
  if (reranker === undefined)
    throw new ApiError(
      404,
      'rerank: expected a server with a model for it, got one without. Start `anneal serve` with --rerank-model DIR',
      {
        code: 'no_reranker',
      },
    )
  const { query, top_n, return_documents = true, model = service.rerankerName } = fields
  // Clients that know one model send its name here, too.
  const known = [service.rerankerName, service.name]
  if (!known.includes(model)) throw modelNotFound(known, model)
  const documents = fields.documents.map((document) => (typeof document === 'string' ? document : document.text))
  const ticket = await service.admission.enter({ rows: 1, key, signal })
  try {
    trace.admitted(ticket.waitedSeconds)
    const { scores, promptTokens } = await reranker.rank(query, documents, { signal })
    trace.model = model
    trace.read(promptTokens)
    const results = scores
      .map((score, index) => ({
        index,
        ...(return_documents && { document: { text: documents[index]! } }),
        relevance_score: score,
      }))
      .sort((a, b) => b.relevance_score - a.relevance_score || a.index - b.index)
    return Response.json({
      id: `rerank-${trace.id}`,
      model,
      results: results.slice(0, top_n),
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    })
  } finally {
    ticket.leave()
  }
}
