// A service that answers as Perspective does, asked no faster than it allows, and what comes of one that does not answer so.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { InputError } from '../../errors.ts'
import { httpScorer } from './http-scorer.ts'

interface Seen {
  headers: IncomingMessage['headers']
  body: { comment: { text: string }; languages?: string[] }
  time: number
}
type Reply = readonly [status: number, body: unknown, headers?: Record<string, string>]

let close: (() => void) | undefined
afterEach(() => close?.())

async function service(reply: (text: string, count: number) => Reply): Promise<{ address: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const body = JSON.parse(text) as Seen['body']
      seen.push({ headers: request.headers, body, time: performance.now() })
      const [status, answer, headers = {}] = reply(body.comment.text, seen.length)
      response.writeHead(status, headers)
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  close = () => server.close()
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1alpha1/comments:analyze?a=b`, seen }
}
const scored = (value: unknown): Reply => [200, { attributeScores: { TOXICITY: { summaryScore: { value } } } }]
const fast = { requestsPerSecond: 1000, pause: 1 }

describe('a scorer behind an address', () => {
  it('asks in the shape of Perspective, with the key in a header, and is called without the query', async () => {
    const { address, seen } = await service((text) => scored(text === 'blorp' ? 0.9 : 0.1))
    const scorer = httpScorer(address, { ...fast, apiKey: 'secret' })
    expect(await scorer.score(['blorp', ' ', 'fine'], { language: 'da' })).toEqual([0.9, undefined, 0.1])
    expect(seen[0]!.body).toEqual({
      comment: { text: 'blorp' },
      requestedAttributes: { TOXICITY: {} },
      languages: ['da'],
      doNotStore: true,
    })
    expect(seen[0]!.headers['x-goog-api-key']).toBe('secret')
    expect(scorer.name).toBe(address.replace('?a=b', ''))
  })
  it('comes back where it is asked to wait, and has no score where it fails or refuses a text', async () => {
    const { address } = await service((text, count) =>
      text === 'refused'
        ? [400, 'no such language']
        : text === 'down'
          ? [503, 'down']
          : count === 1
            ? [429, 'slowly', { 'retry-after': '0' }]
            : scored(0.4),
    )
    expect(await httpScorer(address, fast).score(['a', 'refused', 'down', 'b'])).toEqual([
      0.4,
      undefined,
      undefined,
      0.4,
    ])
  })
  it('stops where it fails on twenty texts in a row, and not where it refuses them', async () => {
    const texts = Array.from({ length: 30 }, (_, i) => `text ${i}`)
    const spent = await service((_, count) =>
      count === 1 ? scored(0.5) : [429, 'Quota exceeded', { 'retry-after': '0' }],
    )
    await expect(httpScorer(spent.address, fast).score(texts)).rejects.toThrow(
      /got none for 20 texts in a row, the last time HTTP 429 Quota exceeded\. Go on later/,
    )
    close?.()
    const picky = await service((_, count) => (count === 1 ? scored(0.5) : [400, 'no such language']))
    expect(await httpScorer(picky.address, fast).score(texts)).toEqual([0.5, ...texts.slice(1).map(() => undefined)])
  })
  it('begins no more requests in a second than it may', async () => {
    const { address } = await service(() => scored(0))
    const begin = performance.now()
    await httpScorer(address, { requestsPerSecond: 20 }).score(['a', 'b', 'c'])
    // When a busy service sees them is its own affair; a timer may be a millisecond early.
    expect(performance.now() - begin).toBeGreaterThan(98)
  })
  it.each([
    ['a page', () => [200, '<html>'] as const, /got expected JSON, got/],
    ['another answer', () => scored('high'), /got an answer without attributeScores/],
    ['a score above one', () => scored(7), /summaryScore\.value from 0 to 1/],
    [
      'a wrong key',
      () => [403, 'key secret is wrong'] as const,
      /HTTP 403 key … is wrong\. Check the address and PERSPECTIVE_API_KEY/,
    ],
  ] as const)('ends at once in one line that has no key: %s', async (_, reply, message) => {
    const { address } = await service(reply as () => Reply)
    const failed = httpScorer(address, { ...fast, apiKey: 'secret' }).score(['a'])
    await expect(failed).rejects.toThrow(message)
    await expect(failed).rejects.toBeInstanceOf(InputError)
    await expect(failed).rejects.not.toThrow(/secret/)
  })
  it('counts such answers as missing once a score has come', async () => {
    const { address } = await service((_, count) => (count === 1 ? scored(0.2) : [200, '<html>']))
    expect(await httpScorer(address, fast).score(['a', 'b'])).toEqual([0.2, undefined])
  })
  it('ends where it is aborted', async () => {
    const { address } = await service(() => scored(0))
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(httpScorer(address, fast).score(['a'], { signal })).rejects.toThrow('enough')
  })
})
