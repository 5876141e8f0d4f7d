// Services over HTTP: a function from requests to responses, which a server of ours or of somebody else calls.

import { UsageError } from '../../errors.ts'
import { formPage } from './form-page.ts'
import type { mcpFetch } from './mcp-server.ts'
import { readJson } from './read-json.ts'
import type { Service } from './service.ts'
import { faultOf, ServiceFault } from './service-fault.ts'

/** How services are put behind HTTP. */
export interface ServiceHandlerOptions {
  /** Hears of errors of which callers are told no more than that there was one, and of all others that a call ended with. */
  onError?: (error: unknown, service: string) => void
  /** Bytes of a request where no server has read it. Default 4 MiB. */
  maxBodyBytes?: number
}

/** Services as a function from requests to responses. */
export interface ServiceHandler {
  /** Answers a request; it never throws. `body`: its JSON, where it has been read. */
  fetch(request: Request, given?: { body?: unknown }): Promise<Response>
  /** Of these paths, as Hono writes them. */
  readonly paths: readonly string[]
  /** What an OpenAPI document says of them. */
  openApi(): Record<string, object>
  /** Takes no more calls; resolves when those that run have ended. */
  drain(): Promise<void>
}

/** Milliseconds that a stream's status waits for its first piece: what is wrong with a call shows before that. */
const FIRST_MS = 2000
/** After so long without a piece a comment is sent: proxies give up silent connections. */
const PING_MS = 15_000

/**
 * Services over HTTP: `GET /services` lists them with their JSON Schemas, `POST /services/NAME` calls one, `GET /services/NAME` tells
 * of it, to a browser as a form. A call that accepts `text/event-stream`, or has `?stream`, is answered by events: `{ delta }` for each
 * piece of its text, `{ output }`, and `[DONE]`. `/mcp` has them as tools of the Model Context Protocol. It does not ask who calls: put it behind what does, such as `createServer` of
 * `anneal/serve`, which takes it as one of its `mounts`.
 *
 * @example
 * const handler = serviceHandler([mood, answers])
 * const server = createServer(lm, { mounts: [handler], keys: ['secret'] })
 */
export function serviceHandler(services: readonly Service[], options: ServiceHandlerOptions = {}): ServiceHandler {
  const { onError = () => undefined, maxBodyBytes } = options
  let mcp: ReturnType<typeof mcpFetch> | undefined
  const known = new Map(services.map((one) => [one.name, one]))
  if (known.size < services.length) {
    const twice = services.find((one, i) => services.findIndex(({ name }) => name === one.name) < i)
    throw new UsageError(`service: expected each name once, got ${twice?.name} twice`)
  }
  let isDraining = false
  let inside = 0
  let whenEmpty: (() => void)[] = []
  const leave = (): void => {
    inside--
    if (inside === 0) for (const tell of whenEmpty.splice(0)) tell()
  }

  async function fetch(request: Request, given: { body?: unknown } = {}): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const name = /\/services\/([^/]+)\/?$/.exec(pathname)?.[1]
    try {
      if (pathname.endsWith('/mcp')) {
        if (isDraining) throw draining()
        const { mcpFetch } = await import('./mcp-server.ts') // most never ask for it
        mcp ??= mcpFetch(services, { onError })
        const body =
          request.method === 'POST' && !('body' in given) ? { body: await readJson(request, maxBodyBytes) } : given
        inside++
        return await (await mcp)(request, body).finally(leave)
      }
      const isAll = /\/services\/?$/.test(pathname)
      if (isAll && request.method === 'GET') return Response.json({ services: services.map(told) })
      const found = name === undefined ? undefined : known.get(name)
      if (found === undefined && !isAll) throw notFound(name ?? pathname, known.keys())
      const accepts = request.headers.get('accept') ?? ''
      if (found !== undefined && request.method === 'GET')
        return accepts.includes('text/html') ? formPage(found) : Response.json(told(found))
      if (found === undefined || request.method !== 'POST')
        return faultResponse(
          new ServiceFault(
            405,
            'not_found',
            `method: expected ${isAll ? 'GET' : 'GET or POST'}, got ${request.method}`,
          ),
          {
            allow: isAll ? 'GET' : 'GET, POST',
          },
        )
      if (isDraining) throw draining()
      const input = 'body' in given ? given.body : await readJson(request, maxBodyBytes)
      const isStream =
        accepts.includes('text/event-stream') || (searchParams.has('stream') && searchParams.get('stream') !== 'false')
      inside++
      if (!isStream)
        return Response.json({ output: await found.call(input, { signal: request.signal }).finally(leave) })
      return await streamed(found, input, request.signal, { leave, failed: (error) => failed(error, found.name) })
    } catch (error) {
      return faultResponse(failed(error, name ?? 'services'))
    }
  }
  const failed = (error: unknown, name: string): ServiceFault => {
    const fault = faultOf(error, name)
    if (fault.status >= 500) onError(error, name)
    return fault
  }
  return {
    fetch,
    paths: ['/services', '/services/:name', '/mcp'],
    openApi: () => openApiOf(services),
    drain: () => {
      isDraining = true
      return new Promise((resolve) => {
        if (inside === 0) resolve()
        else whenEmpty = [...whenEmpty, resolve]
      })
    },
  }
}

const draining = (): ServiceFault =>
  new ServiceFault(503, 'busy', 'services: this server is about to stop', { retryAfter: 1 })

/** What is told of a service. */
function told({ name, description, inputSchema, outputSchema }: Service): object {
  return {
    name,
    description,
    input_schema: inputSchema,
    ...(outputSchema !== undefined && { output_schema: outputSchema }),
  }
}

function notFound(name: string, names: Iterable<string>): ServiceFault {
  const there = [...names].join(', ') || 'none'
  return new ServiceFault(
    404,
    'not_found',
    `service: expected one of ${there}, got ${JSON.stringify(name.slice(0, 80))}`,
  )
}

/** In the shape that the rest of our server gives errors in. */
function faultBody({ message, status, code, field }: ServiceFault): object {
  const type = status === 429 ? 'rate_limit_error' : status >= 500 ? 'server_error' : 'invalid_request_error'
  return { error: { message, type, param: field ?? null, code } }
}

function faultResponse(fault: ServiceFault, headers: Record<string, string> = {}): Response {
  const { status, retryAfter } = fault
  const more = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }
  return Response.json(faultBody(fault), { status, headers: { ...more, ...headers } })
}

/** Pieces as events, as they are taken. Whoever goes away ends the call. */
async function streamed(
  service: Service,
  input: unknown,
  signal: AbortSignal,
  { leave, failed }: { leave: () => void; failed: (error: unknown) => ServiceFault },
): Promise<Response> {
  const gone = new AbortController()
  const pieces = service.stream(input, { signal: AbortSignal.any([signal, gone.signal]) })
  let next: ReturnType<typeof pieces.next> | undefined = pieces.next()
  let isOver = false
  const over = (): void => {
    if (!isOver) leave()
    isOver = true
  }
  try {
    await within(next, FIRST_MS)
  } catch (error) {
    over()
    throw error
  }
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const send = (text: string): void => controller.enqueue(Buffer.from(text))
      try {
        next ??= pieces.next()
        if (!(await within(next, PING_MS))) return send(': ping\n\n')
        const { done, value } = await next
        next = undefined
        if (!done) return send(`data: ${JSON.stringify({ delta: value })}\n\n`)
        send(`data: ${JSON.stringify({ output: value })}\n\ndata: [DONE]\n\n`)
      } catch (error) {
        const fault = failed(error)
        if (isOver) return // nobody reads it
        send(`data: ${JSON.stringify(faultBody(fault))}\n\n`)
      }
      over()
      controller.close()
    },
    cancel() {
      over()
      gone.abort(new Error('nobody reads the stream any more'))
      next?.catch(() => undefined)
      pieces.return(undefined).catch(() => undefined)
    },
  })
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  })
}

/** Whether the promise is settled within so many milliseconds; its error is thrown. */
async function within(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  try {
    return await Promise.race([promise.then(() => true), patience])
  } finally {
    clearTimeout(timer)
  }
}

function openApiOf(services: readonly Service[]): Record<string, object> {
  const error = {
    description: 'What was wrong',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  }
  const paths: Record<string, object> = {
    '/services': {
      get: {
        summary: 'The services, with their JSON Schemas',
        responses: { 200: { description: 'A list' }, default: error },
      },
    },
  }
  for (const { name, description, inputSchema, outputSchema } of services)
    paths[`/services/${name}`] = {
      post: {
        summary: description,
        operationId: name,
        requestBody: {
          required: true,
          content: { 'application/json': { schema: embedded(inputSchema, `${name}:input`) } },
        },
        responses: {
          200: {
            description: 'Its output',
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  properties: { output: embedded(outputSchema ?? {}, `${name}:output`) },
                  required: ['output'],
                },
              },
              'text/event-stream': { schema: { type: 'string' } },
            },
          },
          default: error,
        },
      },
      get: { summary: `What ${name} takes and gives; to a browser, a form`, responses: { 200: { description: 'It' } } },
    }
  return paths
}

/** References within a schema are to itself, wherever it stands. */
function embedded(schema: Readonly<Record<string, unknown>>, id: string): object {
  return '$defs' in schema ? { $id: `urn:anneal:service:${id}`, ...schema } : schema
}
