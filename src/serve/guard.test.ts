import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { ApiError } from './api-error.ts'
import { Guard, type GuardOptions, isLoopback } from './guard.ts'

const to = (path = '/v1/models', headers: Record<string, string> = {}, method = 'GET'): Request =>
  new Request(`http://localhost:8000${path}`, { headers: { host: 'localhost:8000', ...headers }, method })

/** The status that a request gets, and what its caller is called. */
function answer(options: GuardOptions, request: Request): number | string | undefined {
  try {
    return new Guard(options).check(request)
  } catch (error) {
    expect(error).toBeInstanceOf(ApiError)
    return (error as ApiError).status
  }
}

describe('Guard: keys', () => {
  const keys = ['sk-one', { key: 'sk-two', name: 'editor' }]

  it('knows several, in either header', () => {
    // printf sk-one | sha256sum
    expect(answer({ keys }, to('/', { authorization: 'Bearer sk-one' }))).toBe('456f1612')
    expect(answer({ keys }, to('/', { authorization: 'bearer  sk-two' }))).toBe('editor')
    expect(answer({ keys }, to('/', { 'x-api-key': 'sk-two' }))).toBe('editor')
    expect(answer({ keys }, to('/', { authorization: 'Basic eDp5', 'x-api-key': 'sk-two' }))).toBe('editor')
    expect(answer({}, to('/'))).toBeUndefined()
  })

  it('asks for one on every path but /health, and /metrics where that is open', () => {
    const paths = ['/', '/v1/models', '/ready', '/version', '/tokenize', '/metrics', '/openapi.json', '/nowhere']
    for (const path of [...paths, '/health/', '//health', '/health/../x', '/%68ealth', '/x?/health', '/metrics'])
      expect(answer({ keys }, to(path)), path).toBe(401)
    expect(answer({ keys }, to('/health'))).toBeUndefined()
    expect(answer({ keys }, to('/health?verbose'))).toBeUndefined()
    expect(answer({ keys, openMetrics: true }, to('/metrics'))).toBeUndefined()
    expect(answer({ keys, openMetrics: true }, to('/metrics/x'))).toBe(401)
  })

  it('knows no others, and says how to send one', () => {
    for (const wrong of [
      '',
      'Bearer',
      'Bearer sk-on',
      'Bearer sk-onee',
      'Bearer sk-one sk-two',
      'sk-one',
      'Bearer SK-ONE',
    ])
      expect(answer({ keys }, to('/', { authorization: wrong })), wrong).toBe(401)
    const refusal = (headers: Record<string, string>): unknown => {
      try {
        return new Guard({ keys }).check(to('/', headers))
      } catch (error) {
        return error
      }
    }
    expect(refusal({})).toMatchObject({
      type: 'authentication_error',
      code: null,
      headers: { 'www-authenticate': 'Bearer' },
    })
    const wrong = refusal({ authorization: 'Bearer sk-secret' })
    expect(wrong).toMatchObject({ code: 'invalid_api_key', headers: { 'www-authenticate': /^Bearer / } })
    expect(JSON.stringify(wrong)).not.toContain('secret')
  })

  it('must be there where others can reach it, and be such that a header can hold them', () => {
    for (const hostname of ['0.0.0.0', '::', '192.168.1.5', 'example.org']) {
      expect(() => new Guard({ hostname })).toThrow(UsageError)
      expect(answer({ hostname, keys }, to('/', { 'x-api-key': 'sk-one' }))).toBe('456f1612')
    }
    for (const hostname of ['127.0.0.1', 'localhost', '::1', '127.8.8.8'])
      expect(answer({ hostname }, to())).toBe(undefined)
    for (const key of ['', 'a b', 'ü', 'a\n'])
      expect(() => new Guard({ keys: [key] })).toThrow('keys[0]: expected visible')
  })
})

describe('Guard: hosts', () => {
  const host = (name: string, options: GuardOptions = {}) => answer(options, to('/v1/models', { host: name }))

  it('passes the names of loopback, in any spelling and with any port', () => {
    const names = ['localhost', 'LocalHost:8000', 'localhost.', '127.0.0.1:1', '127.1.2.3', '[::1]', '[::1]:8000']
    for (const name of [...names, '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]:80', '[::FFFF:7f00:1]'])
      expect(host(name), name).toBeUndefined()
    // Without a header, the URL has the name.
    expect(answer({}, new Request('http://localhost/'))).toBeUndefined()
    expect(answer({}, new Request('http://evil.example/'))).toBe(403)
  })

  it('stops every other: a page may have its own name lead to 127.0.0.1', () => {
    const names = ['evil.example', 'localhost.evil.example', 'evil.example:8000', '0.0.0.0:8000', '192.168.1.5', '[::]']
    const odd = [
      'user@localhost',
      'localhost/x',
      'localhost#',
      'localhost\\x',
      '127.0.0.1.evil.example',
      '',
      '[::1',
      'a b',
    ]
    for (const name of [...names, ...odd, 'xlocalhost', '1127.0.0.1', '[::ffff:8.8.8.8]', 'localhost:99999999'])
      expect(host(name), name).toBe(403)
    // A probe calls a container by its address.
    expect(answer({}, to('/health', { host: '10.0.0.7:8000' }))).toBeUndefined()
  })

  it('passes the names that are allowed', () => {
    expect(host('Model.Example.:80', { allowedHosts: ['model.example'] })).toBeUndefined()
    expect(host('other.example', { allowedHosts: ['model.example'] })).toBe(403)
    const open: GuardOptions = { hostname: '0.0.0.0', keys: ['k'] }
    const asked = (name: string, options: GuardOptions) => answer(options, to('/', { host: name, 'x-api-key': 'k' }))
    expect(asked('any.example', open)).toBe('8254c329')
    expect(asked('any.example', { ...open, allowedHosts: ['model.example'] })).toBe(403)
    expect(asked('model.example', { ...open, allowedHosts: ['MODEL.example'] })).toBe('8254c329')
    expect(() => new Guard({ allowedHosts: ['http://x'] })).toThrow('allowedHosts: expected')
    expect(() => new Guard().check(to('/', { host: 'evil.example' }))).toThrow(/got "evil\.example"\. .*--allowed-host/)
    expect(() => new Guard().check(to('/', { origin: 'https://a.example' }))).toThrow(/got "https:\/\/a\.example"\. /)
  })
})

describe('Guard: origins', () => {
  const from = (origin: string, options: GuardOptions = {}, extra: Record<string, string> = {}) =>
    answer(options, to('/v1/models', { origin, ...extra }))

  it('passes the own page only', () => {
    expect(from('http://localhost:8000')).toBeUndefined()
    for (const origin of [
      'https://evil.example',
      'null',
      '',
      'http://localhost:3000',
      'http://127.0.0.1:8000',
      'file://',
    ])
      expect(from(origin), origin).toBe(403)
    // Behind a proxy that ends TLS; a standard port is not written.
    const proxied = { host: 'model.example' }
    expect(from('https://model.example', { allowedHosts: ['model.example'] }, proxied)).toBeUndefined()
    expect(from('https://model.example:444', { allowedHosts: ['model.example'] }, proxied)).toBe(403)
    // Of the same name, which is not ours: the page had it lead here.
    expect(from('http://evil.example:8000', {}, { host: 'evil.example:8000' })).toBe(403)
  })

  it('passes those that are allowed, letter by letter', () => {
    const options = { allowedOrigins: ['https://chat.example'] }
    expect(from('https://chat.example', options)).toBeUndefined()
    for (const origin of ['https://chat.example.evil.example', 'http://chat.example', 'https://chat.example:8443'])
      expect(from(origin, options), origin).toBe(403)
    for (const wrong of ['*', 'null', 'chat.example', 'https://chat.example/app', 'https://*.example'])
      expect(() => new Guard({ allowedOrigins: [wrong] }), wrong).toThrow(UsageError)
  })

  it('stops requests that another site began without an origin, such as images', () => {
    expect(answer({}, to('/v1/models', { 'sec-fetch-site': 'cross-site' }))).toBe(403)
    for (const site of ['same-origin', 'none', 'same-site'])
      expect(answer({}, to('/v1/models', { 'sec-fetch-site': site }))).toBeUndefined()
    const options = { allowedOrigins: ['https://chat.example'] }
    expect(from('https://chat.example', options, { 'sec-fetch-site': 'cross-site' })).toBeUndefined()
  })
})

describe('Guard: CORS', () => {
  const options = { allowedOrigins: ['https://chat.example'], keys: ['k'] }
  const ask = (origin: string, guard = new Guard(options)) =>
    guard.preflight(
      to(
        '/v1/chat/completions',
        {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,x-stainless-os',
        },
        'OPTIONS',
      ),
    )

  it('says nothing by default', () => {
    const guard = new Guard()
    expect(guard.corsHeaders(to('/', { origin: 'http://localhost:8000' }))).toEqual({})
    expect(() => ask('https://chat.example', guard)).toThrow(ApiError)
    expect([...ask('http://localhost:8000', guard)!.headers]).toEqual([])
  })

  it('answers a preflight without a key: browsers send none', () => {
    const response = ask('https://chat.example')!
    expect(response.status).toBe(204)
    expect(Object.fromEntries(response.headers)).toEqual({
      vary: 'Origin, Access-Control-Request-Headers',
      'access-control-allow-origin': 'https://chat.example',
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-allow-headers': 'authorization,x-stainless-os',
      'access-control-max-age': '600',
      'access-control-expose-headers': 'x-request-id, retry-after, x-anneal-ignored, x-anneal-notice',
    })
    expect(() => ask('https://evil.example')).toThrow(/origin: expected/)
    expect(new Guard(options).preflight(to('/', {}, 'OPTIONS'))).toBeUndefined()
    expect(new Guard(options).preflight(to('/', { origin: 'https://chat.example' }, 'OPTIONS'))).toBeUndefined()
  })

  it('names the one origin that asks, and lets caches know that the answer depends on it', () => {
    const guard = new Guard(options)
    expect(guard.corsHeaders(to('/', { origin: 'https://chat.example' }))).toMatchObject({
      'access-control-allow-origin': 'https://chat.example',
      vary: 'Origin',
    })
    expect(guard.corsHeaders(to('/', { origin: 'https://evil.example' }))).toEqual({ vary: 'Origin' })
    expect(guard.corsHeaders(to('/'))).toEqual({ vary: 'Origin' })
  })
})

describe('isLoopback', () => {
  it('tells this machine from others', () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]', '127.255.0.1']) expect(isLoopback(host)).toBe(true)
    for (const host of ['0.0.0.0', '10.0.0.1', '', '::1', 'a.localhost']) expect(isLoopback(host), host).toBe(false)
  })
})
