// The Vercel AI SDK with its provider for servers that speak OpenAI's API, against one that listens.
import { createOpenAICompatible, type OpenAICompatibleProvider } from '@ai-sdk/openai-compatible'
import { APICallError, embedMany, generateObject, generateText, stepCountIs, streamText, tool } from 'ai'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fakeLm } from '../../src/lm/fake-lm.ts'
import { heldLm } from './held-lm.ts'
import { type Served, served } from './served.ts'

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

const open: Served[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function providerOf(
  lm = fakeLm({ reply: () => 'Hello there.' }),
  server: Parameters<typeof served>[1] = {},
): Promise<OpenAICompatibleProvider> {
  const one = await served(lm, server)
  open.push(one)
  return createOpenAICompatible({
    name: 'anneal',
    baseURL: `${one.url}/v1`,
    includeUsage: true,
    supportsStructuredOutputs: true,
  })
}

const call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Aarhus"}}\n</tool_call>'
/** Calls once, then tells what it was told. */
const caller = () =>
  fakeLm({
    reply: (request) => {
      const last = 'messages' in request ? request.messages.at(-1)! : undefined
      return last !== undefined && String(last.content).includes('rain') ? 'It rains.' : call
    },
  })
const tools = {
  weather: tool({
    description: 'Tells the weather.',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `rain in ${city}`,
  }),
}

describe('generateText', () => {
  it('gives text, reason and usage', async () => {
    const anneal = await providerOf()
    const { text, finishReason, usage } = await generateText({ model: anneal('fake'), prompt: 'Hi' })
    expect([text, finishReason]).toEqual(['Hello there.', 'stop'])
    expect(usage).toMatchObject({ inputTokens: 20, outputTokens: 13, totalTokens: 33 })
    const again = await generateText({ model: anneal('fake'), prompt: 'Hi' })
    expect(again.usage.inputTokenDetails).toMatchObject({ noCacheTokens: 1, cacheReadTokens: 19 })
  })
  it('passes settings on', async () => {
    const anneal = await providerOf()
    const { text } = await generateText({
      model: anneal('fake'),
      prompt: 'Hi',
      maxOutputTokens: 50,
      temperature: 0.5,
      topP: 0.9,
      presencePenalty: 0.1,
      frequencyPenalty: 0.1,
      seed: 1,
      stopSequences: ['the'],
      providerOptions: { anneal: { min_p: 0.1 } },
    })
    expect(text).toBe('Hello ')
  })
  it('loops over tools', async () => {
    const anneal = await providerOf(caller())
    const { text, steps } = await generateText({ model: anneal('fake'), prompt: 'Hi', tools, stopWhen: stepCountIs(5) })
    expect(text).toBe('It rains.')
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect(steps[0]!.toolResults.map(({ output }) => output)).toEqual(['rain in Aarhus'])
  })
  it('hears of errors by their status', async () => {
    const anneal = await providerOf()
    const error = await generateText({ model: anneal('gpt'), prompt: 'Hi' }).catch((error) => error)
    expect(APICallError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ statusCode: 404, isRetryable: false })
    expect(error.message).toContain('gpt')
  })
  it('tries again where a queue is full', async () => {
    const { lm, started, release } = heldLm()
    const anneal = await providerOf(lm, { rows: 1, waiting: 0 })
    const first = generateText({ model: anneal('fake'), prompt: 'Hi' })
    await started()
    const second = generateText({ model: anneal('fake'), prompt: 'Hi', maxRetries: 3 })
    const refused = await generateText({ model: anneal('fake'), prompt: 'Hi', maxRetries: 0 }).catch((error) => error)
    expect(refused).toMatchObject({ statusCode: 429, isRetryable: true })
    release()
    expect([(await first).text, (await second).text]).toEqual(['Hello there.', 'Hello there.'])
  })
})

it('generateObject keeps to a schema', async () => {
  const anneal = await providerOf(fakeLm({ reply: () => '{"name":"Ada","age":36} and more' }))
  const schema = z.object({ name: z.string(), age: z.number().int() })
  expect((await generateObject({ model: anneal('fake'), schema, prompt: 'Who?' })).object).toEqual({
    name: 'Ada',
    age: 36,
  })
})

it('tells thoughts apart', async () => {
  const lm = fakeLm({ reply: () => '<think>Hm.</think>Yes.' })
  const anneal = await providerOf({ ...lm, chatTemplate: '<think>' })
  const { text, reasoningText, usage } = await generateText({ model: anneal('fake'), prompt: 'Hi' })
  expect([reasoningText, text]).toEqual(['Hm.', 'Yes.'])
  expect(usage.outputTokenDetails).toEqual({ reasoningTokens: 18, textTokens: 5 })
  const stream = streamText({ model: anneal('fake'), prompt: 'Hi' })
  expect([await stream.reasoningText, await stream.text]).toEqual(['Hm.', 'Yes.'])
})

describe('streamText', () => {
  it('gives text, reason and usage', async () => {
    const anneal = await providerOf()
    const { textStream, finishReason, usage } = streamText({ model: anneal('fake'), prompt: 'Hi' })
    const texts: string[] = []
    for await (const text of textStream) texts.push(text)
    expect(texts.join('')).toBe('Hello there.')
    expect(texts.length).toBeGreaterThan(5)
    expect([await finishReason, (await usage).totalTokens]).toEqual(['stop', 33])
  })
  it('loops over tools', async () => {
    const anneal = await providerOf(caller())
    const { fullStream, text } = streamText({ model: anneal('fake'), prompt: 'Hi', tools, stopWhen: stepCountIs(5) })
    const types = new Set<string>()
    for await (const { type } of fullStream) types.add(type)
    expect([...types]).toEqual(
      expect.arrayContaining(['tool-input-start', 'tool-input-delta', 'tool-call', 'tool-result']),
    )
    expect(types).not.toContain('error')
    expect(await text).toBe('It rains.')
  })
  it('is aborted by its signal', async () => {
    const { lm, aborted } = heldLm()
    const anneal = await providerOf(lm)
    const stop = new AbortController()
    const { fullStream } = streamText({ model: anneal('fake'), prompt: 'Hi', abortSignal: stop.signal })
    const types: string[] = []
    for await (const { type } of fullStream) {
      if (type === 'text-delta') stop.abort()
      types.push(type)
    }
    expect(types.at(-1)).toBe('abort')
    await aborted()
  })
})

it('embedMany gives vectors', async () => {
  const anneal = await providerOf(fakeLm({ vector: (ids, index) => [ids[index]!, 0] }))
  const { embeddings, usage } = await embedMany({ model: anneal.embeddingModel('fake'), values: ['a', 'bcd'] })
  expect([embeddings, usage.tokens]).toEqual([
    [
      [1, 0],
      [1, 0],
    ],
    4,
  ])
})

it('goes on with texts by the completion model', async () => {
  const anneal = await providerOf()
  const { text } = await generateText({ model: anneal.completionModel('fake'), prompt: 'Hi' })
  expect(text).toBe('Hello there.')
})
