// The subpath `anneal/prompting`: programs of prompts. Nothing here needs LibTorch.

export { type CacheCounts, type CachedModel, type CacheOptions, cached } from './base/cached.ts'
export type { Calibration, HitRate } from './base/calibrate.ts'
export { type ConnectOptions, connect } from './base/connect.ts'
export type { Constraint, Standing } from './base/constraint.ts'
export type { Cost } from './base/cost.ts'
export { ServiceError } from './base/dialect.ts'
export type { Embed } from './base/embed.ts'
export { type Gate, type GateInput, type GateScore, gates } from './base/gates.ts'
export { type LocalModelOptions, localModel } from './base/local-model.ts'
export { AnswerError, type AskOptions, type Backend, type Hold, type Model } from './base/model.ts'
export type {
  AnswerToken,
  CacheHit,
  ModelAnswer,
  ModelCall,
  ModelPiece,
  ModelSettings,
  ModelSetup,
} from './base/model-call.ts'
export type { QuestionFact } from './base/question-facts.ts'
export type { ProbeLayer, ProbeReading, QuestionProbe } from './base/question-probe.ts'
export { fallback, type RouteOptions, type RouteState, route } from './base/route.ts'
export type { Schema, SchemaIssue, SchemaResult } from './base/schema.ts'
export { type TokenMeasure, tokenMeasure } from './base/token-measure.ts'
export { dryRun, note, program, type Traced, type TraceOptions, trace } from './base/trace.ts'
export type { Trace, TracedCall, TraceNote } from './base/traced-call.ts'
export { WORDINGS } from './base/wordings.ts'
export { type Example, type FewShot, type FewShotOptions, fewShot } from './data/few-shot.ts'
export type { Measure } from './data/measure.ts'
export { type Packed, type PackedPart, type PackOptions, type PackPart, pack } from './data/pack.ts'
export {
  type PromptInput,
  type PromptPart,
  type PromptText,
  type PromptValue,
  prompt,
  type QuoteOptions,
  quote,
} from './data/prompt.ts'
export {
  type Agent,
  AgentError,
  type AgentEvent,
  type AgentOptions,
  type AgentTool,
  agent,
  type Budget,
  tool,
} from './execute/agent.ts'
export type { Chosen } from './execute/choice-probabilities.ts'
export {
  type Conversation,
  type ConversationOptions,
  conversation,
  type SavedConversation,
  type SayOptions,
  type Turn,
} from './execute/conversation.ts'
export { type GuardOptions, guard } from './execute/guard.ts'
export type { LinearProbe } from './execute/linear-probe.ts'
export { type MapReduceOptions, mapReduce } from './execute/map-reduce.ts'
export { type Refined, type RefineOptions, refine } from './execute/refine.ts'
export {
  type Memory,
  type MemoryOptions,
  type MemoryState,
  type RecallOptions,
  type Remembered,
  type Round,
  remember,
  type SummaryOptions,
} from './execute/remember.ts'
export { type RetrieveIfOptions, retrieveIf } from './execute/retrieve-if.ts'
export { type Rule, rule, type Verdict } from './execute/rule.ts'
export {
  type Crisis,
  type CrisisOptions,
  type NoInjectionOptions,
  rules,
  type Threshold,
  type TopicsOptions,
} from './execute/rules.ts'
export type { ScriptPiece, ScriptResult } from './execute/script/run-script.ts'
export { ScriptError, type ScriptFault } from './execute/script/script-error.ts'
export type { ScriptValue } from './execute/script/script-type.ts'
export { type Script, type ScriptOptions, script } from './execute/script.ts'
export { openSession, type Session, type SessionAskOptions, type SessionOptions } from './execute/session.ts'
export { type CountRange, type NumberRange, where } from './execute/where.ts'
