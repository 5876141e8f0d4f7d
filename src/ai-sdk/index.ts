// The subpath `anneal/ai-sdk`: a provider for the Vercel AI SDK that runs in this process. Nothing here needs LibTorch, nor the SDK's own
// packages.
export type { AnnealCallOptions } from './call-request.ts'
export { type AnnealProvider, type AnnealProviderOptions, createAnneal } from './create-anneal.ts'
export type { AnnealEmbeddingOptions } from './embedding-model.ts'
export { NoSuchModelError, UnsupportedFunctionalityError } from './sdk-errors.ts'
export type {
  AiEmbeddingModel,
  AiLanguageModel,
  AiRerankingModel,
  AnswerEnd,
  AnswerEvent,
  AnswerMetadata,
  AnswerPart,
  CallMessage,
  CallOptions,
  CallPart,
  CallTool,
  CallWarning,
  EmbeddingCallOptions,
  GenerateResult,
  JsonObject,
  JsonValue,
  RerankingCallOptions,
  ToolOutput,
} from './specification.ts'
