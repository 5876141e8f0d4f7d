// The subpath `anneal/infer`: the language model that computes, with its sampling. Its interface is `Lm` of `anneal/lm`.
export { type EmbedderOptions, EncoderEmbedder } from './encoder-embedder.ts'
export { Engine, type EngineParts } from './engine.ts'
export { type GenerationConfig, readGenerationConfig } from './generation-config.ts'
export type { ModelAdapters, RowSpan } from './model-adapters.ts'
