// A server that listens, on a port of its own, for tests with real clients.
import type { Lm } from '../../src/lm/lm.ts'
import { type Listening, listen } from '../../src/serve/listen.ts'
import { createServer, type ServerOptions } from '../../src/serve/server.ts'

/** Closes without waiting for what still runs. */
export type Served = Pick<Listening, 'url'> & { close(): Promise<void> }

export async function served(lm: Lm, options: ServerOptions = {}): Promise<Served> {
  const listening = await listen(createServer(lm, options), { port: 0 })
  return { url: listening.url, close: () => listening.close(0) }
}
