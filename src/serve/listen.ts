// A server on a socket: Node's HTTP in front of `Server.fetch`, with the times after which a silent client is hung up on.

import type { Server as HttpServer, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { serve } from '@hono/node-server'
import { messageOf, UsageError } from '../errors.ts'
import type { Server } from './server.ts'

/** Where to listen. */
export interface ListenOptions {
  /** Default 8080; 0 is any that is free. */
  port?: number
}

/** A server that listens. */
export interface Listening {
  /** `http://127.0.0.1:8080`. */
  readonly url: string
  readonly port: number
  /** Drains: what was begun ends, new requests get 503, then the socket closes; after `seconds` what still runs is cut. */
  close(seconds?: number): Promise<void>
}

/** Time for the head of a request, and for all of it. */
const HEAD_SECONDS = 15
const REQUEST_SECONDS = 60
/** How often connections that have become idle are closed at the end. */
const SWEEP_MS = 20
/** For a reader that takes nothing of what is left of its answer. */
const STALL_SECONDS = 120
/** Longer than those of balancers, which otherwise meet a connection that was closed under them. */
const IDLE_SECONDS = 75

/**
 * Listens on the server's address. UsageError where that cannot be had.
 *
 * @example
 * const listening = await listen(createServer(lm), { port: 8080 })
 * process.once('SIGTERM', () => void listening.close(30))
 */
export async function listen(server: Server, { port = 8080 }: ListenOptions = {}): Promise<Listening> {
  const { hostname } = server
  const http = await new Promise<HttpServer>((resolve, reject) => {
    const made = serve(
      {
        fetch: (request: Request) => server.fetch(request),
        hostname,
        port,
        overrideGlobalObjects: false,
        serverOptions: {
          requestTimeout: REQUEST_SECONDS * 1000,
          headersTimeout: HEAD_SECONDS * 1000,
          keepAliveTimeout: IDLE_SECONDS * 1000,
          connectionsCheckingInterval: 5_000,
        },
      },
      () => resolve(made),
    ) as HttpServer
    made.once('error', (cause) =>
      reject(
        new UsageError(`port: expected one that is free on ${hostname}, got ${port} (${messageOf(cause)})`, { cause }),
      ),
    )
  })
  const { port: found } = http.address() as AddressInfo
  const silent = silentConnections(http)
  // From here on Node only waits for the reader, by itself for ever.
  http.on('request', (_, answer: ServerResponse) =>
    answer.once('prefinish', () => answer.socket?.setTimeout(STALL_SECONDS * 1000)),
  )
  let closing: Promise<void> | undefined
  const close = async (seconds: number): Promise<void> => {
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, seconds * 1000)
    })
    await Promise.race([server.drain(), patience])
    const closed = new Promise<void>((resolve) => http.close(() => resolve()))
    http.closeIdleConnections()
    for (const socket of silent) socket.destroy()
    // Those on which an answer is just ending become idle in a moment, and nobody else would close them then.
    const sweep = setInterval(() => http.closeIdleConnections(), SWEEP_MS)
    await Promise.race([closed, patience])
    clearInterval(sweep)
    clearTimeout(timer)
    http.closeAllConnections()
    await closed
  }
  return {
    url: `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${found}`,
    port: found,
    close: (seconds = 30) => (closing ??= close(seconds)),
  }
}

/** Connections on which nothing was asked yet: clients open them ahead, and to Node they are not idle. */
function silentConnections(http: HttpServer): ReadonlySet<Socket> {
  const silent = new Set<Socket>()
  http.on('connection', (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  http.on('request', ({ socket }) => silent.delete(socket))
  return silent
}
