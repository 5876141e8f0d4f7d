// The subpath `anneal/lm`: a language model as evaluation, serving, retrieval and prompting may know it, and one that is made up.
// Nothing here needs LibTorch; the model that computes is `Engine` of `anneal/infer`.
export { badWords } from './bad-words.ts'
export { type BertScore, type BertScoreOptions, bertScore } from './bert-score.ts'
export { dotProduct, type Embedder, type EmbedOptions, type TokenVectors } from './embedder.ts'
export { fakeEmbedder } from './fake-embedder.ts'
export { type FakeLmOptions, fakeLm } from './fake-lm.ts'
export {
  type ChatPromptOptions,
  collect,
  type FinishReason,
  type GenerateOptions,
  type GenerateRequest,
  type Generation,
  type GenerationPiece,
  type HiddenOptions,
  type Lm,
  type LmLoad,
  type LogProb,
  type ModelInfo,
  type Pooling,
  type Prompt,
  type PromptInspection,
  type ScoreOptions,
  type ScoreTokensOptions,
  type TokenLogProb,
  type TokenLogProbs,
  type TokenMask,
  type Usage,
} from './lm.ts'
export { NoTokenError } from './no-token-error.ts'
export { embeddingReranker, JUDGE_PROMPT, judgeReranker, type Ranking, type Reranker } from './reranker.ts'
export { LmSession, type LmSessionOptions } from './session.ts'
export { hasToken, joinMasks, tokenBits } from './token-mask.ts'
