import {
  type EmbeddingModelV3,
  type LanguageModelV3,
  type ProviderV3,
  type RerankingModelV3,
  NoSuchModelError as SdkNoSuchModelError,
  UnsupportedFunctionalityError as SdkUnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import { embed, embedMany, generateObject, generateText, Output, rerank, stepCountIs, streamText, tool } from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Embedder } from '../lm/embedder.ts'
import { fakeEmbedder } from '../lm/fake-embedder.ts'
import { type FakeLmOptions, fakeLm } from '../lm/fake-lm.ts'
import type { GenerateRequest } from '../lm/lm.ts'
import { type AnnealProvider, createAnneal } from './create-anneal.ts'

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

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

  it('refuses files by the error that the SDK knows', async () => {
    const file = { type: 'file', data: new Uint8Array([1]), mediaType: 'image/png' } as const
    const error = await generateText({ model: asked().anneal(), messages: [{ role: 'user', content: [file] }] }).catch(
      (error) => error,
    )
    expect(SdkUnsupportedFunctionalityError.isInstance(error)).toBe(true)
    expect(error.message).toBe('prompt: expected text, got a file of type image/png. Put its words into the prompt')
    const far = { type: 'image', image: new URL('http://nowhere.invalid/a.png') } as const
    const unread = generateText({ model: asked().anneal(), messages: [{ role: 'user', content: [far] }] })
    await expect(unread).rejects.toThrow('prompt: expected text, got a file of type image/*. Put')
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
    expect(warnings.map((warning) => 'feature' in warning && warning.feature)).toEqual([
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

describe('tools', () => {
  const call = (city: string) => `<tool_call>\n{"name": "weather", "arguments": {"city": "${city}"}}\n</tool_call>`
  /** Asks for two cities, then says what it was told. */
  const caller = () =>
    asked({
      reply: (request) => {
        const last = 'messages' in request ? String(request.messages.at(-1)!.content) : ''
        return last.includes('rain')
          ? `So ${last.match(/rain in \w+/g)!.join(', ')}.`
          : `I look.${call('Aarhus')}\n${call('Ribe')}`
      },
    })
  const tools = {
    weather: tool({
      description: 'Tells the weather.',
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => `rain in ${city}`,
    }),
  }
  const stopWhen = stepCountIs(5)

  it('are called until there is an answer', async () => {
    const { steps, text, totalUsage } = await generateText({ model: caller().anneal(), prompt: 'Hi', tools, stopWhen })
    expect(text).toBe('So rain in Aarhus, rain in Ribe.')
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect(steps[0]!.toolCalls.map(({ toolName, input }) => [toolName, input])).toEqual([
      ['weather', { city: 'Aarhus' }],
      ['weather', { city: 'Ribe' }],
    ])
    expect(steps[0]!.text).toBe('I look.')
    expect(totalUsage.outputTokens).toBe(steps[0]!.usage.outputTokens! + 33)
    expect(steps[0]!.warnings).toEqual([{ type: 'other', message: expect.stringContaining('tools: written into') }])
  })

  it('are called in streams', async () => {
    const { fullStream, text } = streamText({ model: caller().anneal(), prompt: 'Hi', tools, stopWhen })
    const inputs = new Map<string, string>()
    const types = new Set<string>()
    for await (const part of fullStream) {
      types.add(part.type)
      if (part.type === 'tool-input-delta') inputs.set(part.id, (inputs.get(part.id) ?? '') + part.delta)
    }
    expect(Array.from(inputs.values(), (input) => JSON.parse(input))).toEqual([{ city: 'Aarhus' }, { city: 'Ribe' }])
    expect(await text).toBe('So rain in Aarhus, rain in Ribe.')
    expect(types).not.toContain('error')
  })

  it('are chosen', async () => {
    const choose = async (toolChoice: 'none' | 'required' | { type: 'tool'; toolName: 'weather' }) => {
      const { anneal } = asked({ reply: () => `No need.${call('Aarhus')}` })
      const { text, toolCalls } = await generateText({ model: anneal(), prompt: 'Hi', tools, toolChoice })
      return [text, toolCalls.length]
    }
    expect(await choose('none')).toEqual([`No need.${call('Aarhus')}`, 0])
    for (const chosen of ['required', { type: 'tool', toolName: 'weather' }] as const)
      expect(await choose(chosen)).toEqual(['', 1])
  })

  it('are marked where the answer is cut within one', async () => {
    const { anneal } = asked({ reply: () => call('A'.repeat(99)) }) // unlike an engine, it brings no JSON to its end
    const { finishReason, toolCalls } = await generateText({
      model: anneal(),
      prompt: 'Hi',
      tools,
      maxOutputTokens: 80,
    })
    expect([finishReason, toolCalls]).toEqual(['length', [expect.objectContaining({ invalid: true })]])
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
