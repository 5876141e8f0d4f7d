// A server of OpenAI's kind whose tokens are words with the space before them; it puts a start token before the text where it is told to.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Answer } from './model.ts'
import type { EvalRequest } from './requests.ts'
import { serverModel } from './server-model.ts'

interface Body {
  prompt: string
  echo?: boolean
  max_tokens: number
  stop?: string[]
}

let fails = 0
/** Answers of the server that it is asked too much, and how long it wants to be left alone, in seconds. */
let refuses: string | undefined
let refusedAt = 0
/** What is sent as it stands. */
let sent: string | undefined
let isStarted = false
const asked: Body[] = []
const server = createServer(async (request, response) => {
  const send = (status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(value))
  }
  if (sent !== undefined) return void response.writeHead(200, { 'content-type': 'text/html' }).end(sent)
  if (request.url === '/v1/models') return send(200, { data: [{ id: 'words' }] })
  const body = JSON.parse(await textOf(request)) as Body
  asked.push(body)
  if (body.prompt.includes('refuse')) return send(400, { error: 'no' })
  if (refuses !== undefined) {
    response.setHeader('retry-after', refuses)
    refuses = undefined
    refusedAt = performance.now()
    return send(429, { error: 'slow down' })
  }
  if (fails-- > 0) return send(503, { error: 'busy' })
  if (!body.echo) return send(200, { choices: [{ text: ` ${body.prompt.length}\nmore` }] })
  const start = isStarted ? ['<s>'] : []
  const tokens = [...start, ...(`${body.prompt} end`.match(/\s*\S+/g) ?? [])]
  const offsets: number[] = []
  for (const i of tokens.keys()) offsets.push(i === 0 ? 0 : offsets[i - 1]! + Array.from(tokens[i - 1]!).length)
  send(200, {
    choices: [
      {
        text: tokens.join(''),
        logprobs: {
          tokens,
          token_logprobs: tokens.map((token, i) => (i === 0 ? null : -token.trim().length)),
          top_logprobs: tokens.map((token) =>
            token.includes('odd') ? { ' even': -0.1 } : { [token]: -token.trim().length },
          ),
          text_offset: offsets,
        },
      },
    ],
  })
})
async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
let address = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => void server.close())

async function ask(requests: EvalRequest[]): Promise<Answer[]> {
  const answers: Answer[] = []
  const model = await serverModel(`${address}/v1/`, { pause: 1 })
  await model.answer(requests, {
    take: (index, answer) => {
      answers[index] = answer
    },
    seed: 0,
  })
  return answers
}
const pair = (context: string, continuation: string): EvalRequest => ({ kind: 'loglikelihood', context, continuation })

it('sums the tokens of the continuation, and tells whether they are the most probable ones', async () => {
  expect(await ask([pair('en kat på', ' to tre'), pair('en kat på ', 'to'), pair('a b', ' odd')])).toEqual([
    { sum: -5, isGreedy: true, tokens: 2 },
    { sum: -2, isGreedy: true, tokens: 1 },
    { sum: -3, isGreedy: false, tokens: 1 },
  ])
})

it('counts from behind a start token of the server, and needs it for the first word', async () => {
  isStarted = true
  expect(
    await ask([pair('en kat', ' to'), pair('', 'hej du'), { kind: 'loglikelihood_rolling', text: 'en to tre' }]),
  ).toEqual([{ sum: -2, isGreedy: true, tokens: 1 }, { sum: -5, isGreedy: true, tokens: 2 }, { sum: -7 }])
  isStarted = false
  expect(await ask([pair('', 'hej')])).toEqual([{ failed: expect.stringContaining('without a start token') }])
})

it('says where a token spans the end of the context', async () => {
  expect(await ask([pair('a be', 'gin now')])).toEqual([{ sum: -3, isGreedy: true, tokens: 1, isJoined: true }])
})

it('goes on and cuts at stop strings', async () => {
  const generation = { until: ['\n'], max_gen_toks: 5 }
  expect(await ask([{ kind: 'generate_until', context: 'abc', generation, repeat: 0 }])).toEqual([{ text: ' 3' }])
  expect(asked.at(-1)).toMatchObject({ max_tokens: 5, stop: ['\n'], temperature: 0 })
})

it('tries again where the server is busy, and gives no answer where it refuses', async () => {
  fails = 2
  expect(await ask([pair('a', ' b')])).toEqual([{ sum: -1, isGreedy: true, tokens: 1 }])
  fails = 3
  expect(await ask([pair('a', ' b')])).toEqual([{ failed: 'HTTP 503 {"error":"busy"}' }])
  const before = asked.length
  expect(await ask([pair('refuse', ' b')])).toEqual([{ failed: 'HTTP 400 {"error":"no"}' }])
  expect(asked.length).toBe(before + 1)
})

it('says where no server is', async () => {
  await expect(serverModel('http://127.0.0.1:9')).rejects.toThrow(
    'model: expected a server at http://127.0.0.1:9/v1/models',
  )
})

it.each([
  ['a page', '<html>', /expected JSON, got "<html>"/],
  ['null', 'null', /without choices/],
  ['no choice', '{"choices":[null]}', /without choices/],
  ['likelihoods in another form', scored({ content: [{ token: 'a', logprob: -1 }] }), /no logprobs/],
  ['no offsets', scored({ tokens: ['ab', ' c'], token_logprobs: [null, -1] }), /no logprobs/],
  [
    'offsets of nothing',
    scored({ tokens: ['ab', ' c'], token_logprobs: [null, -1], text_offset: [null, null] }),
    /no log/,
  ],
  [
    'a text for a number',
    scored({ tokens: ['ab', ' c'], token_logprobs: [null, '-1'], text_offset: [0, 2] }),
    /no log/,
  ],
  ['the context alone', scored({ tokens: ['ab'], token_logprobs: [null], text_offset: [0] }), /no number/],
])('takes no answer from a server that sends %s', async (_, text, message) => {
  const model = await serverModel(address, { model: 'words', pause: 1 })
  sent = text
  const answers: Answer[] = []
  await model.answer([pair('ab', ' c')], { take: (_index, answer) => void answers.push(answer), seed: 0 })
  sent = undefined
  expect(answers).toEqual([{ failed: expect.stringMatching(message) }])
})

it('comes back when a server says that it may', async () => {
  const model = await serverModel(address, { model: 'words', pause: 1 })
  refuses = '1'
  const request: EvalRequest = { kind: 'generate_until', context: 'a', generation: { until: [] }, repeat: 0 }
  const answers: Answer[] = []
  await model.answer([request], { take: (_index, answer) => void answers.push(answer), seed: 0 })
  expect(performance.now() - refusedAt).toBeGreaterThan(990)
  expect(answers).toEqual([{ text: ' 1\nmore' }])
})

it('takes no number for a text, and no page for a list of models', async () => {
  const model = await serverModel(address, { model: 'words', pause: 1 })
  sent = '{"choices":[{"text":5}]}'
  const answers: Answer[] = []
  const request: EvalRequest = { kind: 'generate_until', context: 'a', generation: { until: [] }, repeat: 0 }
  await model.answer([request], { take: (_index, answer) => void answers.push(answer), seed: 0 })
  expect(answers).toEqual([{ failed: 'expected a text from the server, got 5' }])
  for (sent of ['<html>', 'null']) await expect(serverModel(address)).rejects.toThrow('expected a list of models')
  sent = undefined
})

function scored(logprobs: object): string {
  return JSON.stringify({ choices: [{ text: 'ab c', logprobs }] })
}
