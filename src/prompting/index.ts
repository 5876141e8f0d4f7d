// The subpath `anneal/prompting`: programs of prompts. Nothing here needs LibTorch.

export {
  type Agent,
  AgentError,
  type AgentEvent,
  type AgentOptions,
  type AgentTool,
  agent,
  type Budget,
  tool,
} from './agent.ts'
export { type ConnectOptions, connect } from './connect.ts'
export { ServiceError } from './dialect.ts'
export { type GuardOptions, guard, noSecrets, REFUSAL, type Rule, rule, type Verdict } from './guard.ts'
export { type LocalModelOptions, localModel } from './local-model.ts'
export { type MapReduceOptions, mapReduce } from './map-reduce.ts'
export {
  AGAIN_TEXT,
  AnswerError,
  type AskOptions,
  type Backend,
  type Hold,
  type Model,
  modelOf,
  SCHEMA_TEXT,
  THEN_TEXT,
} from './model.ts'
export type { ModelCall, ModelSettings } from './model-call.ts'
export {
  type PromptInput,
  type PromptPart,
  PromptText,
  type PromptValue,
  prompt,
  type QuoteOptions,
  quote,
} from './prompt.ts'
export { fallback, type RouteOptions, route } from './route.ts'
export type { Schema, SchemaIssue, SchemaResult } from './schema.ts'
export { type SplitOptions, splitText, type TextPart } from './split-text.ts'
export { dryRun, program, type Traced, type TracedCall, trace } from './trace.ts'
