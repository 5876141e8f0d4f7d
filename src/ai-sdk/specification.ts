// The Vercel AI SDK's interface for models, version 3, as far as it is used here: what AI SDK 6 and 7 ask of a model, and what it answers.
// Spelled out, because a program that does not have `@ai-sdk/provider` has to compile too; the test holds it against the real one.

/** What JSON can say. */
export type JsonValue = null | string | number | boolean | JsonValue[] | JsonObject

/** An object of JSON. */
export interface JsonObject {
  [key: string]: JsonValue | undefined
}

/** What the AI SDK asks of a language model: `LanguageModelV3CallOptions`. */
export interface CallOptions {
  prompt: readonly CallMessage[]
  maxOutputTokens?: number | undefined
  temperature?: number | undefined
  stopSequences?: readonly string[] | undefined
  topP?: number | undefined
  topK?: number | undefined
  presencePenalty?: number | undefined
  frequencyPenalty?: number | undefined
  responseFormat?:
    | { type: 'text' }
    | { type: 'json'; schema?: unknown; name?: string | undefined; description?: string | undefined }
    | undefined
  seed?: number | undefined
  tools?: readonly CallTool[] | undefined
  toolChoice?:
    | { type: 'auto' }
    | { type: 'none' }
    | { type: 'required' }
    | { type: 'tool'; toolName: string }
    | undefined
  includeRawChunks?: boolean | undefined
  abortSignal?: AbortSignal | undefined
  /** By provider; those under `anneal` are `AnnealCallOptions`. */
  providerOptions?: Readonly<Record<string, object>> | undefined
}

/** A message of a prompt. */
export type CallMessage =
  | { role: 'system'; content: string }
  | { role: 'user' | 'assistant' | 'tool'; content: readonly CallPart[] }

/** A part of a message; which parts may stand where is the SDK's matter. */
export type CallPart =
  | { type: 'text' | 'reasoning'; text: string }
  | { type: 'file'; mediaType: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: unknown }
  | { type: 'tool-result'; toolCallId: string; toolName: string; output: ToolOutput }
  | { type: 'tool-approval-response' }

/** What a tool answered. */
export type ToolOutput =
  | { type: 'text' | 'error-text'; value: string }
  | { type: 'json' | 'error-json'; value: unknown }
  | { type: 'execution-denied'; reason?: string | undefined }
  | { type: 'content'; value: readonly { type: string }[] }

/** A tool that the model may call, or one of a provider's own. */
export type CallTool =
  | {
      type: 'function'
      name: string
      description?: string | undefined
      inputSchema: unknown
      inputExamples?: readonly unknown[] | undefined
      strict?: boolean | undefined
    }
  | { type: 'provider'; id: string; name: string }

/** What was asked and is not done, or done in a way that the call does not say. */
export type CallWarning = { type: 'unsupported'; feature: string; details: string } | { type: 'other'; message: string }

/** A part of an answer. `input` is JSON, cut where the answer was. */
export type AnswerPart =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: string }

/** Which answer it is. */
export interface AnswerMetadata {
  id: string
  timestamp: Date
  modelId: string
}

/** Why an answer ended, and what it took. */
export interface AnswerEnd {
  finishReason: { unified: 'stop' | 'length' | 'tool-calls' | 'content-filter'; raw: string }
  usage: {
    inputTokens: { total: number; noCache: number; cacheRead: number; cacheWrite: undefined }
    outputTokens: { total: number; text: number; reasoning: number }
    raw: JsonObject
  }
  /** Under `anneal`: `stop`, `limit`, and `logprobs` where they were asked for, as in `ChatPiece`. */
  providerMetadata: { anneal: JsonObject }
}

/** What a stream tells: `LanguageModelV3StreamPart`. */
export type AnswerEvent =
  | { type: 'stream-start'; warnings: CallWarning[] }
  | ({ type: 'response-metadata' } & AnswerMetadata)
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end' | 'tool-input-end'; id: string }
  | { type: 'text-delta' | 'reasoning-delta' | 'tool-input-delta'; id: string; delta: string }
  | { type: 'tool-input-start'; id: string; toolName: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: string }
  | { type: 'raw'; rawValue: unknown }
  | ({ type: 'finish' } & AnswerEnd)

/** A whole answer: `LanguageModelV3GenerateResult`. */
export interface GenerateResult extends AnswerEnd {
  content: AnswerPart[]
  warnings: CallWarning[]
  response: AnswerMetadata
}

/** A language model of the AI SDK: `LanguageModelV3`. */
export interface AiLanguageModel {
  readonly specificationVersion: 'v3'
  readonly provider: string
  readonly modelId: string
  readonly supportedUrls: Record<string, RegExp[]>
  /** The whole answer. */
  doGenerate(options: CallOptions): Promise<GenerateResult>
  /** The answer as it comes. Rejects where the request is wrong; the stream begins with the first token. */
  doStream(options: CallOptions): Promise<{ stream: ReadableStream<AnswerEvent> }>
}

/** What the AI SDK asks of an embedding model: `EmbeddingModelV3CallOptions`. */
export interface EmbeddingCallOptions {
  values: readonly string[]
  abortSignal?: AbortSignal | undefined
  providerOptions?: Readonly<Record<string, object>> | undefined
}

/** An embedding model of the AI SDK: `EmbeddingModelV3`. */
export interface AiEmbeddingModel {
  readonly specificationVersion: 'v3'
  readonly provider: string
  readonly modelId: string
  readonly maxEmbeddingsPerCall: number
  readonly supportsParallelCalls: boolean
  /** A vector of length 1 for each value. */
  doEmbed(
    options: EmbeddingCallOptions,
  ): Promise<{ embeddings: number[][]; usage: { tokens: number }; warnings: CallWarning[] }>
}

/** What the AI SDK asks of a reranking model: `RerankingModelV3CallOptions`. */
export interface RerankingCallOptions {
  documents: { type: 'text'; values: readonly string[] } | { type: 'object'; values: readonly object[] }
  query: string
  topN?: number | undefined
  abortSignal?: AbortSignal | undefined
  providerOptions?: Readonly<Record<string, object>> | undefined
}

/** A reranking model of the AI SDK: `RerankingModelV3`. */
export interface AiRerankingModel {
  readonly specificationVersion: 'v3'
  readonly provider: string
  readonly modelId: string
  /** The documents by how well they answer the query, the best first. Objects are read as their JSON. */
  doRerank(options: RerankingCallOptions): Promise<{ ranking: { index: number; relevanceScore: number }[] }>
}
