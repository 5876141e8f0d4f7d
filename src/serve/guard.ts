// Who may talk to the server at all. A local model listens where every web page that its user opens can send requests to, and a page can
// have its own name resolve to this machine; so names and origins are looked at before keys, and keys on every path but two.

import { createHash, timingSafeEqual } from 'node:crypto'
import { UsageError } from '../errors.ts'
import { ApiError, brief } from './api-error.ts'

/** A key, and what logs call it. */
export interface NamedKey {
  key: string
  /** Default: the first 8 hexadecimal digits of the key's SHA-256. */
  name?: string
}

/** Whom to let in. */
export interface GuardOptions {
  /** Any of these opens every path. Default: none is asked for, which only a loopback address allows. */
  keys?: readonly (string | NamedKey)[]
  /** The address that is listened on. Default `127.0.0.1`. */
  hostname?: string
  /**
   * Names that requests may call this server by, besides those of loopback. Ports are not looked at. Default: on a loopback address no
   * others, elsewhere any.
   */
  allowedHosts?: readonly string[]
  /** Web pages that may talk to it from a browser, such as `https://chat.example.org`. Default: none but its own. */
  allowedOrigins?: readonly string[]
  /** Lets `/metrics` be read without a key. */
  openMetrics?: boolean
}

interface Key {
  name: string
  hash: Buffer
}

/** Looks at the headers of a request. */
export class Guard {
  private readonly keys: readonly Key[]
  private readonly origins: ReadonlySet<string>
  /** undefined: any. */
  private readonly hosts: ReadonlySet<string> | undefined
  private readonly openPaths: ReadonlySet<string>

  /** UsageError for an address that others can reach and no key, and for keys, hosts and origins that no request could have. */
  constructor(options: GuardOptions = {}) {
    const { keys = [], hostname = '127.0.0.1', allowedHosts = [], allowedOrigins = [], openMetrics = false } = options
    this.keys = keys.map((key, i) => keyOf(typeof key === 'string' ? { key } : key, i))
    const isLocal = isLoopback(hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname)
    if (!isLocal && keys.length === 0)
      throw new UsageError(`keys: expected one for an address that others can reach (${hostname}), got none`)
    const hosts = allowedHosts.map((host) => {
      const name = nameOf(host)
      if (name === undefined) throw new UsageError(`allowedHosts: expected names of hosts, got ${JSON.stringify(host)}`)
      return name
    })
    this.hosts = isLocal || hosts.length > 0 ? new Set(hosts) : undefined
    this.origins = new Set(allowedOrigins.map(originOf))
    this.openPaths = new Set(['/health', ...(openMetrics ? ['/metrics'] : [])])
  }

  /**
   * Passes, or throws: ApiError 403 for a host or an origin that is not allowed, 401 without a key that is.
   * @returns what to call the caller: its key's name, or undefined where no key is asked for
   */
  check(request: Request): string | undefined {
    const { pathname } = new URL(request.url)
    // Who asks whether we are alive may call us by any address, and learns nothing more.
    if (pathname !== '/health') this.checkHost(request)
    this.checkOrigin(request)
    if (this.keys.length === 0) return undefined
    const key = this.find(request.headers)
    if (key === undefined && !this.openPaths.has(pathname)) throw unauthorized(request.headers)
    return key?.name
  }

  /** The answer to a browser that asks whether a page may send its request; undefined for every other request. */
  preflight(request: Request): Response | undefined {
    const { headers } = request
    const isPreflight = headers.has('origin') && headers.has('access-control-request-method')
    if (request.method !== 'OPTIONS' || !isPreflight) return undefined
    this.checkHost(request)
    this.checkOrigin(request)
    const answer = new Headers(this.corsHeaders(request))
    if (answer.has('access-control-allow-origin')) {
      answer.set('access-control-allow-methods', 'GET, POST, DELETE')
      // Clients of OpenAI send headers of their own with each version.
      answer.set('access-control-allow-headers', headers.get('access-control-request-headers') ?? '')
      answer.set('access-control-max-age', '600')
      answer.append('vary', 'Access-Control-Request-Headers')
    }
    return new Response(null, { status: 204, headers: answer })
  }

  /** What lets a page of an allowed origin read the answer. Without allowed origins there is nothing to say. */
  corsHeaders(request: Request): Record<string, string> {
    if (this.origins.size === 0) return {}
    const origin = request.headers.get('origin')
    if (origin === null || !this.origins.has(origin)) return { vary: 'Origin' }
    return {
      vary: 'Origin',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'x-request-id, retry-after, x-anneal-ignored, x-anneal-notice',
    }
  }

  private checkHost(request: Request): void {
    if (this.hosts === undefined) return
    const host = hostOf(request)
    const name = nameOf(host)
    if (name !== undefined && (this.hosts.has(name) || isLoopback(name))) return
    throw new ApiError(
      403,
      `host: expected a name that this server is allowed to be called by, got ${brief(host)}. Name it with --allowed-host (\`allowedHosts\`)`,
      { code: 'host_not_allowed' },
    )
  }

  private checkOrigin(request: Request): void {
    const origin = request.headers.get('origin')
    if (origin !== null ? this.origins.has(origin) || isSame(origin, hostOf(request)) : !isCrossSite(request.headers))
      return
    throw new ApiError(
      403,
      `origin: expected a page that may talk to this server, got ${origin === null ? 'one of another site' : brief(origin)}. Name it with --allowed-origin (\`allowedOrigins\`)`,
      { code: 'origin_not_allowed' },
    )
  }

  /** The key that was sent; every one is compared, so that the time tells nothing. */
  private find(headers: Headers): Key | undefined {
    const sent = keysOf(headers).map(hashOf)
    let found: Key | undefined
    for (const key of this.keys) for (const hash of sent) if (timingSafeEqual(hash, key.hash)) found ??= key
    return found
  }
}

/** Whether only this machine can reach what listens there: `localhost`, 127.0.0.0/8, ::1, and those of IPv4 written as IPv6. */
export function isLoopback(host: string): boolean {
  const name = nameOf(host) ?? ''
  return (
    name === 'localhost' || name === '[::1]' || /^127(\.\d+){3}$/.test(name) || /^\[::ffff:7f\w\w:\w+\]$/.test(name)
  )
}

/** What a `Host` header may be. A URL would take more: `user@localhost` has the host `localhost`. */
const HOST = /^(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i

/** A host's name as a URL writes it, in lower case, without port and last dot; undefined where it is none. */
function nameOf(host: string): string | undefined {
  const url = HOST.test(host) ? `http://${host}` : ''
  return URL.canParse(url) ? new URL(url).hostname.replace(/\.$/, '') : undefined
}

/** A server gets the header; a handler that is called in process has the URL alone. */
const hostOf = (request: Request): string => request.headers.get('host') ?? new URL(request.url).host

/** Whether a page of this origin came from the host that it talks to. */
function isSame(origin: string, host: string): boolean {
  if (!URL.canParse(origin) || !HOST.test(host)) return false
  const page = new URL(origin)
  // The scheme is the page's: before a proxy that ends TLS we see another one.
  const own = `${page.protocol}//${host}`
  return (
    /^https?:$/.test(page.protocol) && page.origin === origin && URL.canParse(own) && new URL(own).host === page.host
  )
}

/** A browser's own word for a request that a page of another site began, also where there is no origin, as for images. */
const isCrossSite = (headers: Headers): boolean => headers.get('sec-fetch-site')?.toLowerCase() === 'cross-site'

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()

/** OpenAI's clients send it as a bearer token, some editors in a header of its own. */
function keysOf(headers: Headers): string[] {
  const bearer = /^bearer +(\S+)$/i.exec(headers.get('authorization')?.trim() ?? '')?.[1]
  return [bearer, headers.get('x-api-key')?.trim()].filter((key) => key !== undefined)
}

function unauthorized(headers: Headers): ApiError {
  const wasSent = keysOf(headers).length > 0
  const message = wasSent
    ? 'key: expected one that this server knows'
    : 'key: expected one, got none. Send `Authorization: Bearer KEY`'
  return new ApiError(401, message, {
    ...(wasSent && { code: 'invalid_api_key' }),
    headers: { 'www-authenticate': wasSent ? 'Bearer error="invalid_token"' : 'Bearer' },
  })
}

function keyOf({ key, name }: NamedKey, index: number): Key {
  if (typeof key !== 'string' || !/^[\x21-\x7e]+$/.test(key))
    throw new UsageError(`keys[${index}]: expected visible ASCII characters without spaces, got something else`)
  const hash = hashOf(key)
  return { name: name ?? hash.toString('hex').slice(0, 8), hash }
}

function originOf(origin: string): string {
  const parsed = URL.canParse(origin) ? new URL(origin).origin : 'null'
  if (parsed !== 'null' && !parsed.includes('*') && parsed === origin.replace(/\/$/, '').toLowerCase()) return parsed
  throw new UsageError(
    `allowedOrigins: expected origins such as https://chat.example.org, got ${JSON.stringify(origin)}. Name each one`,
  )
}
