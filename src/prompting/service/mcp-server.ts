// Services as tools over the Model Context Protocol: for a program that starts this one and talks to it by its pipes, and over HTTP.

import { createWriteStream } from 'node:fs'
import { UnsupportedError } from '../../errors.ts'
import { VERSION } from '../../version.ts'
import type { Service } from './service.ts'
import { faultOf } from './service-fault.ts'

/** What is heard besides. */
export interface McpServerOptions {
  /** What clients are told that this is. Default `anneal`. */
  name?: string
  /** Hears of errors of which callers are told no more than that there was one. */
  onError?: (error: unknown, service: string) => void
}

/** The package is loaded when it is needed. */
export async function loaded<T>(load: () => Promise<T>, name: string): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new UnsupportedError(`mcp: expected ${name} among the packages, got none. Run npm install ${name}`, { cause })
  }
}

/** Makes a server of the official package for each connection. */
async function factoryOf(services: readonly Service[], { name = 'anneal', onError }: McpServerOptions) {
  const { ProtocolError, ProtocolErrorCode, Server } = await loaded(
    () => import('@modelcontextprotocol/server'),
    '@modelcontextprotocol/server',
  )
  const known = new Map(services.map((one) => [one.name, one]))
  const tools = services.map(toolOf)
  return () => {
    const server = new Server({ name, version: VERSION }, { capabilities: { tools: {} } })
    server.setRequestHandler('tools/list', () => ({ tools }))
    server.setRequestHandler('tools/call', async ({ params }, { mcpReq: { signal } }) => {
      const found = known.get(params.name)
      if (found === undefined)
        throw new ProtocolError(
          ProtocolErrorCode.InvalidParams,
          `tool: expected one of ${[...known.keys()].join(', ')}, got ${JSON.stringify(params.name.slice(0, 80))}`,
        )
      try {
        const output = await found.call(params.arguments ?? {}, { signal })
        const text = typeof output === 'string' ? output : JSON.stringify(output)
        const isStructured = found.outputSchema?.type === 'object'
        return {
          content: [{ type: 'text' as const, text }],
          ...(isStructured && { structuredContent: output as Record<string, unknown> }),
        }
      } catch (error) {
        // To the model, which may do better with what it is told; an error of the protocol would end its turn.
        const fault = faultOf(error, found.name)
        if (fault.status >= 500) onError?.(error, found.name)
        return { content: [{ type: 'text' as const, text: fault.message }], isError: true }
      }
    })
    return server
  }
}

function toolOf({ name, description, inputSchema, outputSchema }: Service) {
  return {
    name,
    description,
    inputSchema: inputSchema as { type: 'object' },
    ...(outputSchema?.type === 'object' && { outputSchema: outputSchema as { type: 'object' } }),
  }
}

/** Services over HTTP, for requests to one path. It keeps no sessions. */
export async function mcpFetch(
  services: readonly Service[],
  options: McpServerOptions = {},
): Promise<(request: Request, given: { body?: unknown }) => Promise<Response>> {
  const { createMcpHandler } = await loaded(
    () => import('@modelcontextprotocol/server'),
    '@modelcontextprotocol/server',
  )
  const handler = createMcpHandler(await factoryOf(services, options))
  return (request, given) => handler.fetch(request, 'body' in given ? { parsedBody: given.body } : {})
}

/**
 * Services on the pipes of this process, until whoever started it closes them or the signal comes. From here on whatever else is written
 * to standard output goes to standard error: the protocol has it alone. UnsupportedError without the package for it.
 *
 * @example
 * await serveMcp([mood, answers])
 */
export async function serveMcp(
  services: readonly Service[],
  { signal, ...options }: McpServerOptions & { signal?: AbortSignal } = {},
): Promise<void> {
  const factory = await factoryOf(services, options)
  const { serveStdio, StdioServerTransport } = await loaded(
    () => import('@modelcontextprotocol/server/stdio'),
    '@modelcontextprotocol/server',
  )
  const own = createWriteStream('', { fd: 1, autoClose: false })
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write
  const transport = new StdioServerTransport(process.stdin, own)
  const closed = new Promise<void>((resolve) => {
    process.stdin.once('end', resolve)
    process.stdin.once('close', resolve)
    own.once('error', () => resolve())
    signal?.addEventListener('abort', () => resolve(), { once: true })
    if (signal?.aborted) resolve()
  })
  const handle = serveStdio(factory, { transport })
  await closed
  await handle.close()
}
