// Requests as programs send them that have no client for Node: what each fails on, read from their sources.
import { afterEach, describe, expect, it } from 'vitest'
import { fakeEmbedder } from '../../src/lm/fake-embedder.ts'
import { type FakeLmOptions, fakeLm } from '../../src/lm/fake-lm.ts'
import { embeddingReranker } from '../../src/lm/reranker.ts'
import { type Served, served } from './served.ts'

const open: Served[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

// biome-ignore lint/suspicious/noExplicitAny: whatever came
type Ask = (path: string, body?: unknown, headers?: Record<string, string>) => Promise<any>

async function asking(lm: FakeLmOptions = {}, options: Parameters<typeof served>[1] = {}): Promise<Ask> {
  const one = await served(fakeLm(lm), options)
  open.push(one)
  return async (path, body, headers = {}) => {
    const response = await fetch(`${one.url}${path}`, {
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return response.headers.get('content-type')!.startsWith('text/event-stream') ? text : JSON.parse(text)
  }
}

describe('lm-evaluation-harness', () => {
  const scoring = { logProb: (ids: readonly number[], i: number) => -ids[i]! / 100, candidates: () => [97] }

  it('cuts likelihoods out of prompts of unequal length, and compares floats for what is greedy', async () => {
    const ask = await asking(scoring)
    const { choices } = await ask('/v1/completions', {
      model: 'fake',
      prompt: [
        [99, 97, 97],
        [99, 98],
      ],
      temperature: 0,
      max_tokens: 1,
      logprobs: 1,
      seed: 1234,
      echo: true,
    })
    // As its `parse_logprobs` does it, with a context of one token each.
    const answers = choices.map(({ logprobs }: { logprobs: Record<string, never[]> }) => {
      const tokens = logprobs.token_logprobs!.slice(1, -1) as number[]
      const tops = logprobs.top_logprobs!.slice(1, -1) as Record<string, number>[]
      const isGreedy = tokens.every((token, i) => token === Math.max(...Object.values(tops[i]!)))
      return [tokens, isGreedy]
    })
    expect(answers).toEqual([
      [[-0.97, -0.97], true],
      [[-0.98], false],
    ])
    expect(choices.map(({ index }: { index: number }) => index)).toEqual([0, 1])
  })

  it('generates until a stop, with null and fields of its own', async () => {
    const ask = await asking({ reply: () => ' Paris.\nQ' })
    const { choices } = await ask('/v1/completions', {
      model: 'fake',
      prompt: ['a', 'b'],
      max_tokens: 256,
      temperature: 0,
      stop: ['\n', '</s>'],
      seed: 1234,
      top_p: null,
      some_kwarg: 1,
    })
    expect(choices.map(({ text }: { text: string }) => text)).toEqual([' Paris.', ' Paris.'])
  })

  it('asks the server for the tokenizer, at the root', async () => {
    const end = String.fromCodePoint(0)
    const one = await served({ ...fakeLm(), namedTokens: { eos_token: end, bos_token: end }, controlTokens: [end] })
    open.push(one)
    const ask = async (path: string, body?: object) => {
      const init = body && {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      }
      return (await fetch(`${one.url}${path}`, init)).json()
    }
    expect(await ask('/tokenizer_info')).toMatchObject({ eos_token: end, bos_token: end })
    expect(await ask('/tokenize', { prompt: 'ab', add_special_tokens: false })).toMatchObject({ tokens: [97, 98] })
    expect(await ask('/detokenize', { tokens: [97, 98] })).toEqual({ prompt: 'ab' })
  })
})

it('Continue asks with its own header, reads the context’s length, and ranks', async () => {
  const reranker = embeddingReranker(fakeEmbedder({ dimensions: 64 }))
  const ask = await asking({ contextLength: 512 }, { keys: ['secret'], reranker })
  const headers = { 'x-api-key': 'secret' }
  expect((await ask('/v1/models', undefined, headers)).data[0]).toMatchObject({ id: 'fake', max_model_len: 512 })
  const ranked = await ask('/v1/rerank', { model: 'fake', query: 'abc', documents: ['xyz', 'abc'] }, headers)
  expect(ranked.results).toEqual([
    { index: 1, document: { text: 'abc' }, relevance_score: expect.any(Number) },
    { index: 0, document: { text: 'xyz' }, relevance_score: expect.any(Number) },
  ])
  expect(await ask('/v1/models')).toMatchObject({ error: { type: 'authentication_error' } })
})

it('Open WebUI asks with headers of its own, and many short things at once', async () => {
  const ask = await asking({ reply: () => '{"title": "Hello"}' })
  const headers = { 'x-openwebui-user-name': 'Ada', 'x-openwebui-chat-id': '1' }
  expect((await ask('/v1/models', undefined, headers)).data).toHaveLength(1)
  const chat = { model: 'fake', messages: [{ role: 'user', content: 'Hi' }] }
  const streamed = { ...chat, stream: true, stream_options: { include_usage: true } }
  const [stream, ...jobs] = await Promise.all([
    ask('/v1/chat/completions', streamed, headers),
    ...Array.from({ length: 3 }, () =>
      ask(
        '/v1/chat/completions',
        { ...chat, stream: false, max_completion_tokens: 1000, logit_bias: { 5: -1 } },
        headers,
      ),
    ),
  ])
  expect(stream.trimEnd().split('\n\n').at(-1)).toBe('data: [DONE]')
  for (const { choices } of jobs) expect(choices[0].message.content).toBe('{"title": "Hello"}')
})

it('aider reads thoughts apart from the answer, and that an answer was cut', async () => {
  const lm = fakeLm({ reply: () => '<think>Hm.</think>Yes, and more' })
  const one = await served({ ...lm, chatTemplate: '<think>' })
  open.push(one)
  const response = await fetch(`${one.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 22, stream: true }),
  })
  const events = (await response.text())
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice(6)).choices[0])
  const join = (name: string) => events.map(({ delta }) => delta[name] ?? '').join('')
  expect([join('reasoning_content'), join('content')]).toEqual(['Hm.', 'Yes,'])
  expect(events.at(-1).finish_reason).toBe('length')
})
