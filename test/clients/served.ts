// A server that listens, on a port of its own, for tests with real clients.
import type { Lm } from '../../src/lm/lm.ts'
import { listen } from '../../src/serve/listen.ts'
import { createServer, type Server, type ServerOptions } from '../../src/serve/server.ts'

/** `close` does not wait for what still runs. */
export interface Served {
  readonly url: string
  readonly server: Server
  close(): Promise<void>
}

export async function served(lm: Lm, options: ServerOptions = {}): Promise<Served> {
  const server = createServer(lm, options)
  const { url, close } = await listen(server, { port: 0 })
  return { url, server, close: () => close(0) }
}
