import {
  type EmbeddingModelV3,
  type LanguageModelV3,
  type ProviderV3,
  type RerankingModelV3,
  NoSuchModelError as SdkNoSuchModelError,
  UnsupportedFunctionalityError as SdkUnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import { embed, embedMany, generateObject, generateText, type ModelMessage, Output, rerank, streamText } from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Embedder } from '../lm/embedder.ts'
import { fakeEmbedder } from '../lm/fake-embedder.ts'
import { type FakeLmOptions, fakeLm } from '../lm/fake-lm.ts'
import type { GenerateRequest } from '../lm/lm.ts'
import { type AnnealProvider, createAnneal } from './create-anneal.ts'

/** A provider of a made-up model, and what the model was asked. */
function asked(options: FakeLmOptions = {}): { anneal: AnnealProvider; requests: GenerateRequest[] } {
  const requests: GenerateRequest[] = []
  const lm = fakeLm({ reply: () => 'Hello there.', ...options })
  const { generate } = lm
  lm.generate = (request) => {
    requests.push(request)
    return generate(request)
  }
  return { anneal: createAnneal(lm), requests }
}

it('is what the AI SDK takes for a provider', () => {
  const provider: ProviderV3 = createAnneal(fakeLm())
  const model: LanguageModelV3 = createAnneal(fakeLm())()
  const embedding: EmbeddingModelV3 = createAnneal(fakeLm()).embeddingModel()
  const reranking: RerankingModelV3 = createAnneal(fakeLm()).rerankingModel()
  for (const { specificationVersion } of [provider, model, embedding, reranking])
    expect(specificationVersion).toBe('v3')
  expect([model.provider, model.modelId]).toEqual(['anneal', 'fake'])
})

describe('generateText', () => {
  it('gives text, reason and usage', async () => {
    const { anneal } = asked()
    const prompt = 'Hi' // "user: Hi\n" is 9 characters
    const { text, finishReason, usage, response, warnings } = await generateText({ model: anneal(), prompt })
    expect([text, finishReason, warnings]).toEqual(['Hello there.', 'stop', []])
    expect(usage).toMatchObject({ inputTokens: 20, outputTokens: 13, totalTokens: 33, cachedInputTokens: 0 })
    expect([response.modelId, response.id]).toEqual(['fake', expect.stringMatching(/^anneal-[\da-f-]{36}$/)])
    const again = await generateText({ model: anneal(), prompt })
    expect(again.usage.inputTokenDetails).toEqual({
      noCacheTokens: 1,
      cacheReadTokens: 19,
      cacheWriteTokens: undefined,
    })
  })

  it('passes every setting on', async () => {
    const { anneal, requests } = asked()
    const settings = { temperature: 0.5, topP: 0.9, topK: 7, presencePenalty: 1, frequencyPenalty: -1, seed: 3 }
    const { text, providerMetadata } = await generateText({
      model: anneal(),
      prompt: 'Hi',
      ...settings,
      maxOutputTokens: 50,
      stopSequences: ['the'],
      providerOptions: { anneal: { minP: 0.1, cacheSalt: 'mine', variables: { enable_thinking: false } } },
    })
    expect([text, providerMetadata]).toEqual(['Hello ', { anneal: { stop: 'the' } }])
    const { signal: _, ...request } = requests[0]!
    expect(request).toEqual({
      messages: [{ role: 'user', content: 'Hi' }],
      ...settings,
      maxNewTokens: 50,
      stop: ['the'],
      minP: 0.1,
      cacheSalt: 'mine',
      variables: { enable_thinking: false },
    })
  })

  it('leaves an answer 4096 tokens where nobody says how many', async () => {
    const { anneal, requests } = asked()
    const { finishReason, providerMetadata } = await generateText({
      model: anneal(),
      prompt: 'Hi',
      providerOptions: { anneal: { ignoreEos: true } },
    })
    expect([finishReason, providerMetadata]).toEqual(['length', { anneal: { limit: 'context' } }])
    expect(requests[0]!.maxNewTokens).toBe(4096)
    expect(() => createAnneal(fakeLm(), { maxOutputTokens: 0 })).toThrow('maxOutputTokens: expected a whole number')
  })

  it('tells log-probabilities', async () => {
    const { anneal } = asked({ reply: () => 'a' })
    const { providerMetadata } = await generateText({
      model: anneal(),
      prompt: 'Hi',
      providerOptions: { anneal: { topLogprobs: 1 } },
    })
    const place = (id: number) => ({ id, logprob: -1, top: [{ id, logprob: -1 }] })
    expect(providerMetadata).toEqual({ anneal: { logprobs: [place(97), place(0)] } })
  })

  it('reads every kind of message', async () => {
    const { anneal, requests } = asked()
    const result = (toolCallId: string, output: object) =>
      ({ type: 'tool-result', toolCallId, toolName: 'look', output }) as never
    const messages: ModelMessage[] = [
      { role: 'system', content: 'Be kind.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'One, ' },
          { type: 'text', text: 'two.' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'Hm.' },
          { type: 'text', text: 'I look.' },
          { type: 'tool-call', toolCallId: 'a', toolName: 'look', input: { at: 1 } },
          { type: 'tool-call', toolCallId: 'b', toolName: 'look', input: {} },
        ],
      },
      {
        role: 'tool',
        content: [
          result('a', { type: 'json', value: { seen: 2 } }),
          result('b', { type: 'error-text', value: 'dark' }),
        ],
      },
      { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'c', toolName: 'look', input: {} }] },
      {
        role: 'tool',
        content: [
          result('c', {
            type: 'content',
            value: [
              { type: 'text', text: 'a ' },
              { type: 'text', text: 'b' },
            ],
          }),
        ],
      },
      { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'd', toolName: 'look', input: {} }] },
      { role: 'tool', content: [result('d', { type: 'execution-denied' })] },
    ]
    await generateText({ model: anneal(), messages, allowSystemInMessages: true })
    const call = (id: string, input = {}) => ({ id, type: 'function', function: { name: 'look', arguments: input } })
    const answer = (id: string, content: string) => ({ role: 'tool', tool_call_id: id, name: 'look', content })
    expect('messages' in requests[0]! && requests[0].messages).toEqual([
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'One, two.' },
      {
        role: 'assistant',
        content: 'I look.',
        reasoning_content: 'Hm.',
        tool_calls: [call('a', { at: 1 }), call('b')],
      },
      answer('a', '{"seen":2}'),
      answer('b', 'dark'),
      { role: 'assistant', content: '', tool_calls: [call('c')] },
      answer('c', 'a b'),
      { role: 'assistant', content: '', tool_calls: [call('d')] },
      answer('d', 'Tool execution denied.'),
    ])
  })

  it('refuses files by the error that the SDK knows', async () => {
    const file = { type: 'file', data: new Uint8Array([1]), mediaType: 'image/png' } as const
    const error = await generateText({ model: asked().anneal(), messages: [{ role: 'user', content: [file] }] }).catch(
      (error) => error,
    )
    expect(SdkUnsupportedFunctionalityError.isInstance(error)).toBe(true)
    expect(error.message).toBe('prompt: expected text, got a file of type image/png. Put its words into the prompt')
  })

  it('refuses provider options that there are not', async () => {
    const call = (anneal: Record<string, never>) =>
      generateText({ model: asked().anneal(), prompt: 'Hi', providerOptions: { anneal }, maxRetries: 0 })
    await expect(call({ chat_template_kwargs: {} as never })).rejects.toThrow("It is called 'variables' here")
    await expect(call({ minp: 1 as never })).rejects.toThrow("Did you mean 'minP'?")
  })

  it('says what it does not do', async () => {
    const { anneal } = asked()
    const { warnings } = await anneal().doGenerate({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
      tools: [{ type: 'provider', id: 'openai.web_search', name: 'web' }],
      responseFormat: { type: 'json', schema: { type: 'boolean' }, description: 'yes or no' },
    })
    expect(warnings.map(({ feature }) => feature)).toEqual([
      'provider-defined tool openai.web_search',
      'responseFormat.description',
    ])
  })

  it('is aborted by its signal', async () => {
    const stop = new AbortController()
    const { anneal, requests } = asked({
      reply: () => {
        queueMicrotask(() => stop.abort())
        return 'x'.repeat(1000)
      },
    })
    const call = () => generateText({ model: anneal(), prompt: 'Hi', abortSignal: stop.signal })
    await expect(call()).rejects.toMatchObject({ name: 'AbortError' })
    expect(requests.length).toBe(1)
    await expect(call()).rejects.toMatchObject({ name: 'AbortError' })
    expect(requests.length).toBe(1)
  })
})

describe('schemas', () => {
  const schema = z.object({ name: z.string(), age: z.number().int() })
  /** Says the least that it may. */
  const { anneal, requests } = asked({ reply: () => '{"name":"Ada","age":36}' })

  it('bind an object', async () => {
    const { object } = await generateObject({ model: anneal(), schema, prompt: 'Who?' })
    expect(object).toEqual({ name: 'Ada', age: 36 })
    expect(requests[0]!.structure).toMatchObject({ json_schema: { required: ['name', 'age'] } })
  })
  it('bind an output, also where the model would not', async () => {
    const model = asked({
      reply: () => 'I would rather not.',
      candidates: () => Array.from('01"}', (c) => c.charCodeAt(0)),
    })
    const output = Output.object({ schema: z.object({ age: z.union([z.literal(1), z.literal(10)]) }) })
    const { output: made } = await generateText({ model: model.anneal(), prompt: 'Who?', output })
    expect([1, 10]).toContain(made.age)
  })
  it('bind choices', async () => {
    const model = asked({ reply: () => '{"result":"no"}' })
    const { output } = await generateText({
      model: model.anneal(),
      prompt: 'Is it?',
      output: Output.choice({ options: ['yes', 'no'] }),
    })
    expect(output).toBe('no')
  })
  it('stream in parts', async () => {
    const { partialOutputStream, output } = streamText({
      model: anneal(),
      prompt: 'Who?',
      output: Output.object({ schema }),
    })
    const parts: unknown[] = []
    for await (const part of partialOutputStream) parts.push(part)
    expect(parts).toContainEqual({ name: 'Ad' })
    expect(await output).toEqual({ name: 'Ada', age: 36 })
  })
  it('are any object where none is given', async () => {
    const model = asked({ reply: () => '{"a":[1]}' })
    const { object } = await generateObject({ model: model.anneal(), output: 'no-schema', prompt: 'Who?' })
    expect(object).toEqual({ a: [1] })
  })
  it('stand alone', async () => {
    const providerOptions = { anneal: { structure: { regex: 'a+' } } }
    const call = generateObject({ model: anneal(), schema, prompt: 'Who?', providerOptions })
    await expect(call).rejects.toThrow('structure: expected it without a response format of JSON, got both')
    const model = asked({ reply: () => 'aab' })
    expect((await generateText({ model: model.anneal(), prompt: 'Who?', providerOptions })).text).toBe('aa')
  })
})

describe('streamText', () => {
  it('gives the text as it comes', async () => {
    const stream = streamText({ model: asked().anneal(), prompt: 'Hi' })
    const deltas: string[] = []
    for await (const text of stream.textStream) deltas.push(text)
    expect(deltas.join('')).toBe('Hello there.')
    expect(deltas.length).toBeGreaterThan(5)
    expect(await stream.finishReason).toBe('stop')
    expect((await stream.usage).totalTokens).toBe(33)
  })

  it('gives the pieces themselves where they are asked for', async () => {
    const { stream } = await asked({ reply: () => 'a' })
      .anneal()
      .doStream({
        prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
        includeRawChunks: true,
      })
    const types: string[] = []
    for await (const { type } of stream) types.push(type)
    expect(types).toEqual([
      'stream-start',
      'response-metadata',
      'raw',
      'text-start',
      'text-delta',
      'raw',
      'text-end',
      'finish',
    ])
  })

  it('is aborted by its signal', async () => {
    const stop = new AbortController()
    const { anneal } = asked({ reply: () => 'x'.repeat(1000) })
    const stream = streamText({ model: anneal(), prompt: 'Hi', abortSignal: stop.signal })
    const types: string[] = []
    for await (const { type } of stream.fullStream) {
      if (type === 'text-delta') stop.abort()
      types.push(type)
    }
    expect(types.at(-1)).toBe('abort')
    expect(types.length).toBeLessThan(100)
  })

  it('ends the answer when its reader leaves', async () => {
    const { anneal, requests } = asked({ reply: () => 'x'.repeat(1000) })
    const { stream } = await anneal().doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] })
    await stream.cancel()
    expect(requests[0]!.signal!.aborted).toBe(true)
  })

  it('tells what is wrong with a request', async () => {
    const errors: unknown[] = []
    const stream = streamText({
      model: asked().anneal(),
      prompt: 'x'.repeat(5000),
      onError: ({ error }) => void errors.push(error),
    })
    await stream.consumeStream()
    expect(errors).toEqual([expect.objectContaining({ message: 'prompt: expected fewer than 4096 tokens' })])
  })
})

describe('models', () => {
  it('have names, of which adapters are some', async () => {
    const { anneal, requests } = asked({ adapters: ['poet'] })
    await generateText({ model: anneal('poet'), prompt: 'Hi' })
    await generateText({
      model: anneal.languageModel('fake'),
      prompt: 'Hi',
      providerOptions: { anneal: { adapter: 'poet' } },
    })
    await generateText({ model: anneal('fake'), prompt: 'Hi' })
    expect(requests.map(({ adapter }) => adapter)).toEqual(['poet', 'poet', undefined])
    for (const get of [() => anneal('gpt'), () => anneal.embeddingModel('gpt'), () => anneal.imageModel('gpt')])
      expect(get).toThrow(expect.toSatisfy(SdkNoSuchModelError.isInstance))
    expect(() => anneal('gpt')).toThrow('languageModel: expected fake or poet, got "gpt"')
  })

  it('embed with an encoder', async () => {
    const seen: (string | readonly number[])[][] = []
    const embedder: Embedder = {
      ...fakeEmbedder({ dimensions: 2 }),
      embed: async (texts) => {
        seen.push([...texts])
        return texts.map((text) => Float32Array.of(text.length, 0))
      },
    }
    const anneal = createAnneal(fakeLm(), { embedder })
    const { embeddings, usage } = await embedMany({ model: anneal.embeddingModel('embedder'), values: ['a', 'bcd'] })
    expect([embeddings, usage, seen]).toEqual([
      [
        [3, 0], // with a token before and one after
        [5, 0],
      ],
      { tokens: 8 },
      [[embedder.encode('a'), embedder.encode('bcd')]],
    ])
    expect((await embed({ model: anneal.embeddingModel(), value: 'ab' })).embedding).toEqual([4, 0])
  })

  it('embed with the language model', async () => {
    const anneal = createAnneal(fakeLm({ vector: (ids, index) => [ids[index]!, 0] }))
    const { embeddings, usage } = await embedMany({ model: anneal.embeddingModel(), values: ['a', 'bcd'] })
    expect([embeddings, usage]).toEqual([
      [
        [1, 0],
        [1, 0],
      ],
      { tokens: 4 },
    ])
  })

  it('rank documents with what there is', async () => {
    const ranked = async (anneal: AnnealProvider, name?: string) => {
      const documents = ['xyz', 'abc']
      const { ranking } = await rerank({ model: anneal.rerankingModel(name), query: 'abc', documents, topN: 1 })
      return ranking.map(({ document, score }) => [document, Math.round(score * 100)])
    }
    const lm = fakeLm({
      logProb: (ids, index) => (ids[index] === 121 && String.fromCodePoint(...ids).includes('Document: xyz') ? -1 : -3),
    })
    const embedder = fakeEmbedder({ dimensions: 64 })
    const reranker = { rank: async () => ({ scores: [0.25, 0.5], promptTokens: 0 }) }
    expect(await ranked(createAnneal(lm))).toEqual([['xyz', 88]]) // 1 / (1 + e⁻²)
    expect(await ranked(createAnneal(lm, { embedder }))).toEqual([['abc', 100]])
    expect(await ranked(createAnneal(lm, { embedder, reranker }))).toEqual([['abc', 50]])
    expect(await ranked(createAnneal(lm, { embedder, reranker }), 'fake')).toEqual([['xyz', 88]])
    expect(() => createAnneal(lm).rerankingModel('gpt')).toThrow('rerankingModel: expected fake, got "gpt"')
  })
})
