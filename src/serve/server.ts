// A language model behind HTTP, in the words of OpenAI's API: a function from requests to responses, which a socket, a test or another
// server calls.

import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import type { Embedder } from '../lm/embedder.ts'
import type { Lm } from '../lm/lm.ts'
import type { Reranker } from '../lm/reranker.ts'
import { checkOptionNames } from '../option-names.ts'
import { VERSION } from '../version.ts'
import { Admission, type AdmissionOptions } from './admission.ts'
import { ApiError, apiErrorOf, brief } from './api-error.ts'
import { Guard, type GuardOptions } from './guard.ts'
import { Metrics } from './metrics.ts'
import { openApi } from './openapi.ts'
import { readBody } from './read-body.ts'
import { type RequestSummary, RequestTrace } from './request-trace.ts'
import { ROUTES } from './routes.ts'
import type { Service } from './service.ts'

/** How a model is served. */
export interface ServerOptions extends GuardOptions, AdmissionOptions {
  /** The name that requests call it by. Default: `Lm.info.name`, else `model`. */
  name?: string
  /** A model of embeddings beside it; without one, `/v1/embeddings` asks the model itself. */
  embedder?: Embedder
  /** Default `embedder`. */
  embedderName?: string
  /** What `/v1/rerank` asks. */
  reranker?: Reranker
  /** Default `reranker`. */
  rerankerName?: string
  /** Adapters may be loaded at run time from below this directory. Default: none. */
  adapterDirectory?: string
  /** Tokens of an answer where a request does not say how many. Default 4096, or what the context leaves. */
  maxNewTokens?: number
  /** Bytes of a request. Default 4 MiB. */
  maxBodyBytes?: number
  /** Seconds after which a silent stream says that it is alive. Default 15. */
  pingSeconds?: number
  /** Seconds after which a reader of a stream that takes nothing is cut off. Default 120. */
  stallSeconds?: number
  /** Hears of every request when it is over. */
  log?: (request: RequestSummary) => void
  /** More paths behind the same checks of names, origins and keys, such as `serviceHandler` of `anneal/prompting/service` makes. */
  mounts?: readonly Mount[]
}

/** Paths that are answered by somebody else, such as services. */
export interface Mount {
  /** As Hono writes them: `/services/:name`. */
  readonly paths: readonly string[]
  /** `body`: the JSON of a POST. */
  fetch(request: Request, given: { body?: unknown }): Promise<Response>
  /** What the OpenAPI document says of them, by path. */
  openApi?(): Record<string, object>
  /** Takes nothing new; resolves when what was begun has ended. */
  drain?(): Promise<void>
}

/** A server of one model. */
export interface Server {
  /** Answers a request; it never throws. */
  fetch(request: Request): Promise<Response>
  /** Takes nothing new from now on; resolves when everything that was begun has ended. */
  drain(): Promise<void>
  /** Requests that wait and that run. */
  readonly load: { waiting: number; running: number }
  /** The address that it is meant to be listened on. */
  readonly hostname: string
}

const OPTIONS: Readonly<Record<keyof ServerOptions, true>> = {
  name: true,
  embedder: true,
  embedderName: true,
  reranker: true,
  rerankerName: true,
  adapterDirectory: true,
  maxNewTokens: true,
  maxBodyBytes: true,
  pingSeconds: true,
  stallSeconds: true,
  log: true,
  mounts: true,
  keys: true,
  hostname: true,
  allowedHosts: true,
  allowedOrigins: true,
  openMetrics: true,
  rows: true,
  waiting: true,
  waitSeconds: true,
  perKey: true,
}

/**
 * Makes a server of a model.
 *
 * @example
 * const server = createServer(await loadLm('runs/demo/model'), { keys: ['secret'] })
 * const response = await server.fetch(new Request('http://localhost/v1/models'))
 */
export function createServer(lm: Lm, options: ServerOptions = {}): Server {
  checkOptionNames('createServer', options, OPTIONS)
  const { name = lm.info?.name ?? 'model', hostname = '127.0.0.1', maxNewTokens = 4096, pingSeconds = 15 } = options
  const { stallSeconds = 120 } = options
  const guard = new Guard({ ...options, hostname })
  const admission = new Admission(options)
  const metrics = new Metrics({ modelName: name, load: () => lm.load, queue: admission })
  const service: Service = {
    lm,
    name,
    created: Math.floor(Date.now() / 1000),
    embedder: options.embedder,
    embedderName: options.embedderName ?? 'embedder',
    reranker: options.reranker,
    rerankerName: options.rerankerName ?? 'reranker',
    adapterDirectory: options.adapterDirectory,
    maxNewTokens,
    admission,
    metrics,
    pingSeconds,
    stallSeconds,
  }
  let isDraining = false
  const app = new Hono<{ Bindings: Bindings }>()
  for (const route of ROUTES)
    app.on(route.method.toUpperCase(), [...route.paths], async ({ req, env }) => {
      const { trace } = env
      trace.route = route.paths[0]!
      const limits = options.maxBodyBytes === undefined ? {} : { maxBytes: options.maxBodyBytes }
      const body = route.fields === undefined ? undefined : await readBody(req.raw, limits)
      trace.request = body
      const headers = new Headers()
      const isStrict = req.query('strict') === '1'
      const stop = new AbortController()
      const signal = AbortSignal.any([req.raw.signal, stop.signal])
      const abort = (reason: unknown): void => stop.abort(reason)
      const response = await route.answer({
        service,
        body,
        isStrict,
        signal,
        abort,
        key: trace.key,
        trace,
        id: req.param('id'),
        headers,
      })
      for (const [name, value] of headers) response.headers.set(name, value)
      return response
    })
  const { mounts = [] } = options
  for (const [path, mount] of mounts.flatMap((mount) => mount.paths.map((path) => [path, mount] as const)))
    app.all(path, async ({ req, env: { trace } }) => {
      trace.route = path
      if (isDraining) throw draining()
      if (req.method !== 'POST') return mount.fetch(req.raw, {})
      const limits = options.maxBodyBytes === undefined ? {} : { maxBytes: options.maxBodyBytes }
      const body = await readBody(req.raw, limits)
      trace.request = body
      return mount.fetch(req.raw, { body })
    })
  const own = (path: string, answer: () => Response): void => {
    app.get(path, ({ env: { trace } }) => {
      trace.route = path
      return answer()
    })
  }
  own('/health', () => Response.json({ status: 'ok' }))
  own('/ready', () => {
    if (isDraining) throw draining()
    return Response.json({ status: 'ready' })
  })
  // For whoever opens the bare address in a browser.
  own('/', () =>
    Response.json({ server: 'anneal', version: VERSION, model: name, base_url: '/v1', openapi: '/openapi.json' }),
  )
  own('/version', () => Response.json({ version: VERSION }))
  let stopWatching: (() => void) | undefined
  own('/metrics', () => {
    stopWatching ??= metrics.watchLag() // from the first time that somebody looks
    return metrics.toResponse()
  })
  own('/openapi.json', () => Response.json(openApi(mounts)))
  app.notFound(({ req }) => {
    throw notFound(req.method, req.path)
  })
  app.onError((error) => {
    throw error // all errors become answers in one place
  })

  const respond = async (request: Request, trace: RequestTrace): Promise<Response> => {
    try {
      const preflight = guard.preflight(request)
      if (preflight !== undefined) return preflight
      trace.key = guard.check(request)
      return await app.fetch(request, { trace })
    } catch (cause) {
      trace.isAborted = request.signal.aborted
      const error = trace.isAborted ? goneAway(cause) : apiErrorOf(cause)
      trace.error = error
      return error.toResponse()
    }
  }
  return {
    hostname,
    get load() {
      return { waiting: admission.waiting, running: admission.running }
    },
    drain: async () => {
      isDraining = true
      stopWatching?.()
      await Promise.all([admission.drain(), ...mounts.map((mount) => mount.drain?.())])
    },
    fetch: async (request) => {
      const trace = new RequestTrace(requestId(request), request.method, { metrics, log: options.log })
      const response = await respond(request, trace)
      response.headers.set('x-request-id', trace.id)
      for (const [name, value] of Object.entries(guard.corsHeaders(request))) response.headers.set(name, value)
      trace.status = response.status
      if (!trace.isStreaming) {
        trace.isAborted = request.signal.aborted
        trace.end()
      }
      return response
    },
  }
}

interface Bindings {
  trace: RequestTrace
}

const draining = (): ApiError =>
  new ApiError(503, 'server: expected one that goes on, got one that is about to stop', { code: 'draining' })

/** The one that the client gave, where it is fit for a header and a log. */
function requestId(request: Request): string {
  const given = request.headers.get('x-request-id')
  return given !== null && /^[\w.-]{1,128}$/.test(given) ? given : randomUUID().replaceAll('-', '')
}

/** Nobody reads it, but it is counted and logged: by the status that proxies have for this, and not as a fault of ours. */
function goneAway(cause: unknown): ApiError {
  return new ApiError(499, 'connection: expected one that waits for its answer, got one that was closed', { cause })
}

function notFound(method: string, path: string): ApiError {
  const known = ROUTES.filter(({ paths }) => paths.includes(path)).map((route) => route.method.toUpperCase())
  const [allowed] = known
  if (allowed !== undefined)
    return new ApiError(405, `method: expected ${allowed}, got ${method}`, {
      code: 'method_not_allowed',
      headers: { allow: allowed },
    })
  return new ApiError(404, `path: expected one of this server, got ${brief(path)}; /openapi.json lists them`, {
    code: 'not_found',
  })
}
