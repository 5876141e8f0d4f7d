// Everything that a server answers, by path: what serves requests, and what its OpenAPI document says of them.

import type { z } from 'zod'
import { CHAT, chatCompletions } from './chat-completions.ts'
import { COMPLETION, completions } from './completions.ts'
import { EMBEDDING, embeddings } from './embeddings.ts'
import { LOAD_ADAPTER, loadAdapter, model, models, UNLOAD_ADAPTER, unloadAdapter } from './models.ts'
import { RERANK, rerank } from './rerank.ts'
import type { Call } from './service.ts'
import { DETOKENIZE, detokenize, RENDER, render, TOKENIZE, tokenize, tokenizerInfo } from './tokens.ts'

/** One thing that can be asked for. */
export interface Route {
  method: 'get' | 'post'
  /** Where; the first path is the one that the document names. */
  paths: readonly string[]
  summary: string
  /** The fields of its body; without them it has none. */
  fields?: Readonly<Record<string, z.ZodType>>
  /** Also answers with events as they come. */
  streams?: boolean
  answer(call: Call): Response | Promise<Response>
}

/** With and without the prefix that clients put before it. */
const both = (path: string): string[] => [`/v1${path}`, path]

export const ROUTES: readonly Route[] = [
  {
    method: 'post',
    paths: both('/chat/completions'),
    summary: 'The next answer of a conversation',
    fields: CHAT,
    streams: true,
    answer: chatCompletions,
  },
  {
    method: 'post',
    paths: both('/completions'),
    summary: 'Texts that go on from prompts',
    fields: COMPLETION,
    streams: true,
    answer: completions,
  },
  { method: 'post', paths: both('/embeddings'), summary: 'Vectors of texts', fields: EMBEDDING, answer: embeddings },
  {
    method: 'post',
    paths: both('/rerank'),
    summary: 'Documents in the order in which they answer a query',
    fields: RERANK,
    answer: rerank,
  },
  { method: 'get', paths: both('/models'), summary: 'What is served', answer: ({ service }) => models(service) },
  {
    method: 'get',
    paths: both('/models/:id{.+}'),
    summary: 'One of the models',
    answer: ({ service, id }) => model(service, id ?? ''),
  },
  {
    method: 'post',
    paths: ['/tokenize', '/v1/tokenize'],
    summary: 'The token ids of a text or a chat',
    fields: TOKENIZE,
    answer: tokenize,
  },
  {
    method: 'post',
    paths: ['/detokenize', '/v1/detokenize'],
    summary: 'The text of token ids',
    fields: DETOKENIZE,
    answer: detokenize,
  },
  {
    method: 'get',
    paths: ['/tokenizer_info', '/v1/tokenizer_info'],
    summary: 'Names of tokens, and the chat template',
    answer: ({ service }) => tokenizerInfo(service),
  },
  {
    method: 'post',
    paths: ['/v1/chat/completions/render', '/apply-template', '/v1/apply-template'],
    summary: 'A chat as the model reads it: its text and its ids',
    fields: RENDER,
    answer: render,
  },
  {
    method: 'post',
    paths: ['/v1/load_lora_adapter'],
    summary: 'Takes an adapter in',
    fields: LOAD_ADAPTER,
    answer: loadAdapter,
  },
  {
    method: 'post',
    paths: ['/v1/unload_lora_adapter'],
    summary: 'Gives an adapter up',
    fields: UNLOAD_ADAPTER,
    answer: unloadAdapter,
  },
]
