// OpenAI's client against a server of a small model that computes: what a made-up one cannot show.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateText, Output, streamText } from 'ai'
import OpenAI from 'openai'
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createAnneal } from '../../src/ai-sdk/create-anneal.ts'
import type { Engine } from '../../src/infer/engine.ts'
import { loadLm } from '../../src/run/load-lm.ts'
import { writeChatModel } from '../text-model.ts'
import { type Served, served } from './served.ts'

let folder: string
let lm: Engine
let one: Served
let client: OpenAI
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-served-'))
  const { model } = await writeChatModel(folder, 1024)
  lm = await loadLm(model)
  one = await served(lm)
  client = new OpenAI({ baseURL: `${one.url}/v1`, apiKey: 'none', maxRetries: 0 })
})
afterAll(async () => {
  await one.close()
  lm.free()
  rmSync(folder, { recursive: true, force: true })
})

const messages = [{ role: 'user' as const, content: 'the cat' }]
const asked = { model: 'model', messages, max_tokens: 24 }

it('says the same streamed, whole, alone and beside others', async () => {
  const drawn = { ...asked, temperature: 1.5, seed: 7, n: 2 }
  const texts = ({ choices }: OpenAI.ChatCompletion) => choices.map(({ message }) => message.content)
  const alone = texts(await client.chat.completions.create(drawn))
  expect(alone[0]).not.toBe(alone[1])
  const streams = Array.from({ length: 4 }, (_, i) =>
    client.chat.completions.stream({ ...drawn, seed: i === 2 ? 7 : i }).finalChatCompletion(),
  )
  const all = await Promise.all(streams)
  expect(texts(all[2]!)).toEqual(alone)
  expect(texts(all[0]!)).not.toEqual(alone)
})

describe('structure', () => {
  const Sighting = z.object({ animal: z.enum(['cat', 'dog']), places: z.array(z.string()), seen: z.boolean() })

  it.each([40, 60, 200])('holds at any length (%i tokens)', async (most) => {
    for (const seed of [1, 2, 3]) {
      const { choices } = await client.chat.completions.create({
        ...asked,
        max_tokens: most,
        temperature: 1,
        seed,
        response_format: zodResponseFormat(Sighting, 'sighting'),
      })
      expect(Sighting.safeParse(JSON.parse(choices[0]!.message.content!)).success).toBe(true)
    }
  })
  it('holds for the arguments of tools', async () => {
    const tools = [zodFunction({ name: 'tell', parameters: Sighting })]
    const request = { ...asked, tools, tool_choice: 'required' as const, parallel_tool_calls: false }
    const { choices } = await client.chat.completions.create({ ...request, max_tokens: 150 })
    const [call] = choices[0]!.message.tool_calls as OpenAI.ChatCompletionMessageFunctionToolCall[]
    expect(call!.function.name).toBe('tell')
    expect(Sighting.safeParse(JSON.parse(call!.function.arguments)).success).toBe(true)
  })
  it('that does not fit is refused', async () => {
    const response_format = zodResponseFormat(Sighting, 'sighting')
    const call = client.chat.completions.create({ ...asked, max_tokens: 9, response_format })
    await expect(call).rejects.toMatchObject({
      status: 400,
      param: 'max_tokens',
      message: expect.stringContaining('max_tokens: expected at least'),
    })
  })
})

it('finds what it says greedily to be the likeliest, float for float', async () => {
  const prompts = ['the cat sat', 'a dog', 'the moon while a dog ran over the hill to see who']
  const request = { model: 'model', temperature: 0, logprobs: 1, echo: true }
  const told = { ...request, prompt: prompts, max_tokens: 12, return_token_ids: true }
  const made = (await client.completions.create(told)).choices as unknown as Record<
    'prompt_token_ids' | 'token_ids',
    number[]
  >[]
  const ids = made.map(({ prompt_token_ids, token_ids }) => [...prompt_token_ids, ...token_ids])
  const { choices } = await client.completions.create({ ...request, prompt: ids, max_tokens: 1 })
  for (const [i, { logprobs }] of choices.entries()) {
    // As lm-evaluation-harness does it; the last token is the one that was made now.
    const isGreedy = logprobs!
      .token_logprobs!.slice(0, -1)
      .map((logprob, at) => at > 0 && logprob === Math.max(...Object.values(logprobs!.top_logprobs![at]!)))
    const from = made[i]!.prompt_token_ids.length
    expect(isGreedy.slice(from)).toEqual(made[i]!.token_ids.map(() => true))
    expect(isGreedy.slice(1, from)).toContain(false)
  }
})

it('gives vectors that both encodings agree on', async () => {
  const request = { model: 'model', input: ['the cat', 'a dog ran'] }
  const base64 = await client.embeddings.create(request)
  const float = await client.embeddings.create({ ...request, encoding_format: 'float' })
  expect(base64.data).toEqual(float.data)
  expect(float.data[0]!.embedding).toHaveLength(32)
})

it('holds nothing when all have left', async () => {
  const stop = new AbortController()
  const calls = Array.from({ length: 4 }, () =>
    client.chat.completions.create({ ...asked, max_tokens: 200, stream: true }, { signal: stop.signal }),
  )
  for (const stream of await Promise.all(calls)) {
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
  }
  stop.abort()
  await expect.poll(() => lm.load.running + lm.load.waiting).toBe(0)
})

it('holds nothing when a reader in process has left', async () => {
  const stop = new AbortController()
  const { fullStream } = streamText({ model: createAnneal(lm)(), prompt: 'the cat', abortSignal: stop.signal })
  const types: string[] = []
  for await (const { type } of fullStream) {
    if (type === 'text-delta') stop.abort()
    types.push(type)
  }
  expect(types.at(-1)).toBe('abort')
  const { stream } = await createAnneal(lm)().doStream({
    prompt: [{ role: 'user', content: [{ type: 'text', text: 'the cat' }] }],
  })
  await stream.cancel()
  await expect.poll(() => lm.load.running + lm.load.waiting).toBe(0)
})

it('says in process what it says over HTTP', async () => {
  const drawn = { model: createAnneal(lm)(), prompt: 'the cat', temperature: 1.5, seed: 7, maxOutputTokens: 24 }
  const { choices } = await client.chat.completions.create({ ...asked, temperature: 1.5, seed: 7 })
  expect((await generateText(drawn)).text).toBe(choices[0]!.message.content)
})

it('names what is wrong in process as the AI SDK does', async () => {
  const output = Output.object({ schema: z.object({ name: z.string() }) })
  const call = generateText({ model: createAnneal(lm)(), prompt: 'the cat', maxOutputTokens: 2, output })
  await expect(call).rejects.toThrow(/^maxOutputTokens: expected at least/)
})

it('reads the name of a control token as its id where a tokenizer is asked, and nowhere else', async () => {
  const tokens = async (prompt: string) => {
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: JSON.stringify({ prompt, add_special_tokens: false }) }
    return ((await (await fetch(`${one.url}/tokenize`, init)).json()) as { tokens: number[] }).tokens
  }
  expect(await tokens('<|end|>')).toEqual([lm.tokenizer!.eosTokenId])
  expect(await tokens('the <|end|>')).not.toContain(lm.tokenizer!.eosTokenId)
})
