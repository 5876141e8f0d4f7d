// What every route of a server knows: the models, the limits, who may compute.

import type { Embedder } from '../lm/embedder.ts'
import type { Lm } from '../lm/lm.ts'
import type { Reranker } from '../lm/reranker.ts'
import type { Admission } from './admission.ts'
import { ApiError, brief } from './api-error.ts'
import type { Metrics } from './metrics.ts'
import type { RequestTrace } from './request-trace.ts'

/** The parts that routes work with. */
export interface Service {
  readonly lm: Lm
  /** The name that the model is served under. */
  readonly name: string
  /** When serving began, in seconds since 1970. */
  readonly created: number
  readonly embedder?: Embedder | undefined
  readonly embedderName: string
  readonly reranker?: Reranker | undefined
  readonly rerankerName: string
  /** Adapters may be loaded from directories below this one. */
  readonly adapterDirectory?: string | undefined
  /** Tokens of an answer where the request does not say how many. */
  readonly maxNewTokens: number
  readonly admission: Admission
  readonly metrics: Metrics
  readonly pingSeconds: number
  readonly stallSeconds: number
}

/** One request on its way. */
export interface Call {
  readonly service: Service
  /** JSON of the body. */
  readonly body: unknown
  /** Fields that nobody reads are errors. */
  readonly isStrict: boolean
  readonly signal: AbortSignal
  /** Ends what runs for it: nobody listens any more. */
  abort(reason: unknown): void
  /** Whose key it came with. */
  readonly key: string | undefined
  readonly trace: RequestTrace
  /** What the path names, where it names something. */
  readonly id?: string | undefined
  /** Headers of the answer. */
  readonly headers: Headers
}

/** The adapter that a request names by `model`; null for the model itself. */
export function adapterNamed({ lm, name }: Service, model: string | undefined): string | null {
  if (model === undefined || model === name) return null
  if (lm.adapters?.includes(model)) return model
  throw modelNotFound([name, ...(lm.adapters ?? [])], model)
}

/** No model of that name: those that there are stand in quotes, for they may be words such as `model`. */
export function modelNotFound(known: readonly string[], model: string): ApiError {
  return new ApiError(404, `model: expected ${known.map((name) => brief(name)).join(' or ')}, got ${brief(model)}`, {
    param: 'model',
    code: 'model_not_found',
  })
}

/** Tells which fields of a request were read by nobody, besides those that were told before. */
export function tellIgnored(headers: Headers, ignored: readonly string[]): void {
  if (ignored.length === 0) return
  const names = ignored.map((name) => (/^[\w.-]{1,64}$/.test(name) ? name : '(unprintable)'))
  headers.append('x-anneal-ignored', names.slice(0, 32).join(', '))
}

/** Tells something about the answer that its reader would not expect. */
export function notice(headers: Headers, text: string): void {
  headers.append('x-anneal-notice', text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 500))
}

/** Tokens to make: what is asked for, which has to fit beside the prompt of `field`, or what is left, up to a limit. */
export function newTokens(
  service: Service,
  asked: number | undefined,
  promptTokens: number,
  otherwise: number,
  field = 'prompt',
): number {
  const { contextLength } = service.lm
  const left = contextLength - promptTokens
  if (left < 1 || (asked ?? 0) > left)
    throw new ApiError(
      400,
      `max_tokens: expected a prompt and a text of at most ${contextLength} tokens together, got ${promptTokens} of the prompt${asked === undefined ? '' : ` and ${asked} to make`}. Shorten the prompt${asked === undefined ? '' : ', or ask for less'}`,
      { param: left < 1 ? field : 'max_tokens', code: 'context_length_exceeded' },
    )
  return asked ?? Math.min(left, otherwise)
}

/** Characters for each token of the context beyond which texts are looked at more closely, and tokens that cut ends may be off by. */
const LONG = 16
const SLACK = 64

/**
 * ApiError for texts that together are far too long, found by their beginnings: to encode megabytes takes seconds, in which nobody else's text
 * goes on. Texts that are long in characters and short in tokens pass.
 */
export function refuseFarTooLong({ lm }: Service, texts: readonly string[], param: string): void {
  const { contextLength } = lm
  const most = LONG * contextLength
  if (texts.reduce((sum, { length }) => sum + length, 0) <= most) return
  let tokens = 0
  let read = 0
  for (const text of texts) {
    tokens += lm.encode({ prompt: text.slice(0, most), addSpecialTokens: false }).length
    read += Math.min(text.length, most)
    if (tokens <= contextLength + SLACK) continue
    throw new ApiError(
      400,
      `${param}: expected at most ${contextLength} tokens, got more than ${tokens - SLACK} in the first ${read} characters alone. Shorten it`,
      { param, code: 'context_length_exceeded' },
    )
  }
}
