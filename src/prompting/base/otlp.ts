// Traces as spans that a collector of OpenTelemetry takes: OTLP as JSON (opentelemetry-proto 1), with the names of the semantic
// conventions for generative AI.

import { randomBytes } from 'node:crypto'
import { VERSION } from '../../version.ts'
import { ServiceError } from './dialect.ts'
import type { Trace, TracedCall } from './traced-call.ts'

/** A value of an attribute. */
export type OtlpValue =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number }
  | { arrayValue: { values: OtlpValue[] } }

/** Attributes are a list. */
export interface OtlpAttribute {
  key: string
  value: OtlpValue
}

/** A span. Times are nanoseconds since 1970, as texts. */
export interface OtlpSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  /** 1: in this process; 3: of another one. */
  kind: 1 | 3
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: OtlpAttribute[]
  events: { timeUnixNano: string; name: string; attributes: OtlpAttribute[] }[]
  /** 2: it failed. */
  status: { code?: 2; message?: string }
}

/** What is posted to a collector's `/v1/traces`. */
export interface OtlpTraces {
  resourceSpans: {
    resource: { attributes: OtlpAttribute[] }
    scopeSpans: { scope: { name: string; version: string }; spans: OtlpSpan[] }[]
  }[]
}

/** What is told of a trace. */
export interface OtlpOptions {
  /** The program's name, `service.name`. Default `anneal`. */
  service?: string
  /** The texts too: messages and answers. Default false, for they may be anybody's secrets. */
  content?: boolean
}

/** A span for the program, with one for each call in it. */
export function otlpTraces(trace: Trace, { service = 'anneal', content = false }: OtlpOptions = {}): OtlpTraces {
  const { calls, began, fault, isDry } = trace
  const traceId = randomBytes(16).toString('hex')
  const ids = calls.map(() => randomBytes(8).toString('hex'))
  const root = randomBytes(8).toString('hex')
  const end = calls.reduce((last, { at, took }) => Math.max(last, at + took), 0)
  const nano = (milliseconds: number): string => `${Math.round((began + milliseconds) * 1000)}000`
  const program: OtlpSpan = {
    traceId,
    spanId: root,
    name: service,
    kind: 1,
    startTimeUnixNano: nano(0),
    endTimeUnixNano: nano(end),
    attributes: attributesOf({ 'anneal.dry_run': isDry }),
    events: [],
    status: fault === undefined ? {} : { code: 2, message: fault },
  }
  const spans = calls.map((call): OtlpSpan => {
    const { id, parent, at, took, notes = [], answer, fault: why, setup } = call
    const isFailed = why !== undefined && answer === undefined
    return {
      traceId,
      spanId: ids[id]!,
      parentSpanId: parent === undefined ? root : ids[parent]!,
      name: call.isWrapper ? `wrapper ${call.model}` : `${operationOf(call)} ${call.model}`,
      kind: call.isWrapper || setup?.provider === 'anneal' ? 1 : 3,
      startTimeUnixNano: nano(at),
      endTimeUnixNano: nano(at + took),
      attributes: attributesOf({ ...own(call), ...(!call.isWrapper && genAi(call)), ...(content && texts(call)) }),
      events: notes.map(({ by, ...what }) => ({
        timeUnixNano: nano(at + took),
        name: `anneal.${by}`,
        attributes: attributesOf(what),
      })),
      status: isFailed ? { code: 2, message: why } : {},
    }
  })
  const scope = { name: 'anneal', version: VERSION }
  const resource = { attributes: attributesOf({ 'service.name': service }) }
  return { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: [program, ...spans] }] }] }
}

/** Posts spans to a collector, such as `http://127.0.0.1:4318`. ServiceError where it does not take them. */
export async function sendSpans(
  url: string,
  traces: OtlpTraces,
  {
    headers = {},
    fetch = globalThis.fetch,
  }: { headers?: Record<string, string>; fetch?: typeof globalThis.fetch } = {},
): Promise<void> {
  const target = /\/v1\/traces\/?$/.test(url) ? url : `${url.replace(/\/+$/, '')}/v1/traces`
  const body = JSON.stringify(traces)
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }
  const response = await fetch(target, init).catch((cause: unknown) => {
    throw new ServiceError(`${target}: expected a collector, got no answer (${(cause as Error).message})`, { cause })
  })
  const text = (await response.text()).replaceAll(/\s+/g, ' ')
  const { status } = response
  if (!response.ok)
    throw new ServiceError(`${target}: expected spans to be taken, got HTTP ${status} ${text.slice(0, 200)}`, {
      status,
    })
  const rejected = /"rejectedSpans"\s*:\s*"?([1-9]\d*)/.exec(text)?.[1]
  if (rejected !== undefined)
    throw new ServiceError(`${target}: expected all spans to be taken, got ${rejected} refused ${text.slice(0, 200)}`)
}

const operationOf = ({ scores }: TracedCall): string => (scores === undefined ? 'chat' : 'logprobs')

function own({ path, cost, fault, again, answer }: TracedCall): Record<string, unknown> {
  return {
    'anneal.program': path.length > 0 ? path : undefined,
    'anneal.cost': cost,
    'anneal.refused': answer === undefined ? undefined : fault,
    'anneal.again': again,
  }
}

/** The conventions' names for what a model was asked and gave. */
function genAi(call: TracedCall): Record<string, unknown> {
  const { model, setup, answer, first, fault } = call
  const { maxTokens, temperature, topP, seed, stop, structure } = call.call
  const { usage, finishReason } = answer ?? {}
  return {
    'gen_ai.operation.name': operationOf(call),
    'gen_ai.provider.name': setup?.provider ?? 'anneal',
    'gen_ai.request.model': model,
    'gen_ai.request.max_tokens': maxTokens,
    'gen_ai.request.temperature': temperature === undefined ? undefined : double(temperature),
    'gen_ai.request.top_p': topP === undefined ? undefined : double(topP),
    'gen_ai.request.seed': seed,
    'gen_ai.request.stop_sequences': stop,
    'gen_ai.output.type': structure !== undefined && 'json_schema' in structure ? 'json' : 'text',
    'gen_ai.response.model': setup?.revision === undefined ? undefined : `${model}@${setup.revision}`,
    'gen_ai.response.finish_reasons': finishReason === undefined ? undefined : [finishReason],
    'gen_ai.response.time_to_first_chunk': first === undefined ? undefined : double(first / 1000),
    'gen_ai.usage.input_tokens': usage?.promptTokens,
    'gen_ai.usage.output_tokens': usage?.completionTokens,
    'gen_ai.usage.cache_read.input_tokens': usage?.cachedTokens,
    'gen_ai.usage.reasoning.output_tokens': usage?.reasoningTokens || undefined,
    'error.type': fault !== undefined && answer === undefined ? '_OTHER' : undefined,
  }
}

/** Messages as the conventions' parts, in JSON. */
function texts({ call, answer }: TracedCall): Record<string, unknown> {
  const part = (content: unknown): object => ({ type: 'text', content })
  const asked = call.messages.map(({ role, content }) => ({ role, parts: [part(content)] }))
  const parts = [
    ...(answer?.reasoning ? [{ type: 'reasoning', content: answer.reasoning }] : []),
    ...(answer?.text ? [part(answer.text)] : []),
    ...(answer?.toolCalls ?? []).map(({ id, name, arguments: given }) => ({
      type: 'tool_call',
      id,
      name,
      arguments: given,
    })),
  ]
  return {
    'gen_ai.input.messages': JSON.stringify(asked),
    'gen_ai.output.messages':
      answer && JSON.stringify([{ role: 'assistant', parts, finish_reason: answer.finishReason }]),
  }
}

/** A number that is a double, also where it is whole. */
class Double {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}
const double = (value: number): Double => new Double(value)

/** What there is; what has no form of its own is JSON. */
function attributesOf(values: Record<string, unknown>): OtlpAttribute[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: otlpValue(value) }],
  )
}

function otlpValue(value: unknown): OtlpValue {
  if (value instanceof Double) return { doubleValue: value.value }
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number' && Number.isSafeInteger(value)) return { intValue: String(value) }
  if (typeof value === 'number' && Number.isFinite(value)) return { doubleValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(otlpValue) } }
  return { stringValue: JSON.stringify(value) ?? String(value) }
}
