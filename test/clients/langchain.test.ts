// LangChain.js against a server that listens.
import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, type ChatOpenAIFields, OpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fakeLm } from '../../src/lm/fake-lm.ts'
import { heldLm } from './held-lm.ts'
import { type Served, served } from './served.ts'

const open: Served[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function configurationOf(lm = fakeLm({ reply: () => 'Hello there.' })): Promise<{ baseURL: string }> {
  const one = await served(lm)
  open.push(one)
  return { baseURL: `${one.url}/v1` }
}

async function chatOf(lm?: ReturnType<typeof fakeLm>, fields: ChatOpenAIFields = {}): Promise<ChatOpenAI> {
  const configuration = await configurationOf(lm)
  return new ChatOpenAI({ model: 'fake', apiKey: 'none', maxRetries: 0, configuration, ...fields })
}

const call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Aarhus"}}\n</tool_call>'
const weather = tool(({ city }: { city: string }) => `rain in ${city}`, {
  name: 'weather',
  description: 'Tells the weather.',
  schema: z.object({ city: z.string() }),
})
const Person = z.object({ name: z.string(), age: z.number().int() })
const person = () => fakeLm({ reply: () => '{"name":"Ada","age":36} and more' })

describe('ChatOpenAI', () => {
  it('invokes', async () => {
    const chat = await chatOf()
    const { content, usage_metadata: usage, response_metadata: metadata } = await chat.invoke('Hi')
    expect(content).toBe('Hello there.')
    expect(usage).toMatchObject({ input_tokens: 20, output_tokens: 13, total_tokens: 33 })
    expect(metadata).toMatchObject({ finish_reason: 'stop', model_name: 'fake' })
  })
  it('streams, with the usage at the end', async () => {
    const chat = await chatOf()
    const chunks = []
    for await (const chunk of await chat.stream('Hi')) chunks.push(chunk)
    const whole = chunks.reduce((sum, chunk) => sum.concat(chunk))
    expect(whole.content).toBe('Hello there.')
    expect(chunks.length).toBeGreaterThan(5)
    expect(whole.usage_metadata).toMatchObject({ input_tokens: 20, output_tokens: 13, total_tokens: 33 })
    expect(whole.response_metadata.finish_reason).toBe('stop')
  })
  it('sends its settings', async () => {
    const chat = await chatOf(undefined, {
      temperature: 0.5,
      topP: 0.9,
      presencePenalty: 0.1,
      frequencyPenalty: 0.1,
      maxTokens: 50,
      stop: ['the'],
      logprobs: true,
      topLogprobs: 1,
      user: 'someone',
      modelKwargs: { seed: 1, min_p: 0.1 },
    })
    const { content, response_metadata: metadata } = await chat.invoke('Hi')
    expect(content).toBe('Hello ')
    expect(metadata.logprobs).toMatchObject({
      content: expect.arrayContaining([{ token: 'H', logprob: -1, bytes: [72], top_logprobs: [expect.anything()] }]),
    })
  })
  it('batches', async () => {
    const chat = await chatOf()
    const answers = await chat.batch(['Hi', 'Ho', 'Hu'])
    expect(answers.map(({ content }) => content)).toEqual(Array.from({ length: 3 }, () => 'Hello there.'))
  })
  it.each(['invoked', 'streamed'])('calls tools and hears of their answers (%s)', async (kind) => {
    const lm = fakeLm({
      reply: (request) => {
        const last = 'messages' in request ? request.messages.at(-1)! : undefined
        return last !== undefined && String(last.content).includes('rain') ? 'It rains.' : call
      },
    })
    const chat = (await chatOf(lm)).bindTools([weather])
    const answer = async () => {
      if (kind === 'invoked') return chat.invoke('Hi')
      const chunks = []
      for await (const chunk of await chat.stream('Hi')) chunks.push(chunk)
      return chunks.reduce((sum, chunk) => sum.concat(chunk))
    }
    const said = await answer()
    expect(said.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Aarhus' } }])
    const result = (await weather.invoke(said.tool_calls![0]! as never)) as ToolMessage
    expect(ToolMessage.isInstance(result)).toBe(true)
    expect((await chat.invoke([new HumanMessage('Hi'), said, result])).content).toBe('It rains.')
  })
  it.each(['jsonSchema', 'jsonMode'] as const)('keeps to a schema (%s)', async (method) => {
    const chat = (await chatOf(person())).withStructuredOutput(Person, { name: 'person', method })
    expect(await chat.invoke('Who?')).toEqual({ name: 'Ada', age: 36 })
  })
  it('keeps to a schema (functionCalling)', async () => {
    const lm = fakeLm({
      reply: () => '<tool_call>\n{"name": "person", "arguments": {"name": "Ada", "age": 36}}\n</tool_call>',
    })
    const chat = (await chatOf(lm)).withStructuredOutput(Person, { name: 'person', method: 'functionCalling' })
    expect(await chat.invoke('Who?')).toEqual({ name: 'Ada', age: 36 })
  })
  it('hears of errors', async () => {
    const chat = await chatOf(undefined, { model: 'gpt' })
    await expect(chat.invoke('Hi')).rejects.toMatchObject({ status: 404 })
  })
  it('is aborted by its signal', async () => {
    const { lm, started, aborted } = heldLm()
    const chat = await chatOf(lm)
    const stop = new AbortController()
    const answer = chat.invoke('Hi', { signal: stop.signal })
    answer.catch(() => {})
    await started()
    stop.abort()
    await expect(answer).rejects.toThrow()
    await aborted()
  })
})

it('OpenAI goes on with texts', async () => {
  const configuration = await configurationOf()
  const model = new OpenAI({ model: 'fake', apiKey: 'none', maxRetries: 0, configuration })
  expect(await model.invoke('Hi')).toBe('Hello there.')
  const texts: string[] = []
  for await (const text of await model.stream('Hi')) texts.push(text)
  expect(texts.join('')).toBe('Hello there.')
})

it('OpenAIEmbeddings gives vectors', async () => {
  const configuration = await configurationOf(fakeLm({ vector: (ids, index) => [ids[index]!, 0] }))
  const embeddings = new OpenAIEmbeddings({ model: 'fake', apiKey: 'none', maxRetries: 0, configuration })
  expect(await embeddings.embedDocuments(['a', 'bcd'])).toEqual([
    [1, 0],
    [1, 0],
  ])
  expect(await embeddings.embedQuery('a')).toEqual([1, 0])
})
