// The subpath `anneal/prompting/base`: what a program of prompts needs now and then — traces in files, replay, cassettes, thresholds that
// are measured, and backends of one's own. Nothing here needs LibTorch.

export {
  type CalibrateOptions,
  type Calibration,
  calibrate,
  type HitRate,
  type QuestionPair,
} from './calibrate.ts'
export { cassette } from './cassette.ts'
export type { Embed } from './embed.ts'
export { exportTrace } from './export-trace.ts'
export { type LexicalEmbedderOptions, lexicalEmbedder } from './lexical-embedder.ts'
export { type Backend, type Model, modelOf } from './model.ts'
export type { OtlpAttribute, OtlpOptions, OtlpSpan, OtlpTraces, OtlpValue } from './otlp.ts'
export type { QuestionFact } from './question-facts.ts'
export { type ReplayDifference, type Replayed, type ReplayOptions, replay } from './replay.ts'
export { type RouteExample, type RouteThreshold, routeThreshold } from './route-threshold.ts'
export { readTrace } from './trace-file.ts'
export type { Trace, TracedCall, TraceNote } from './traced-call.ts'
export type { DpoRow, SftRow } from './training-rows.ts'
