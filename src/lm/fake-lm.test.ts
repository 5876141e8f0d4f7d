import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import type { Structure } from '../grammar/grammar.ts'
import { fakeLm } from './fake-lm.ts'
import { type ChatPromptOptions, collect, type GenerateOptions } from './lm.ts'
import { tokenBits } from './token-mask.ts'

describe('fakeLm', () => {
  const lm = fakeLm({ reply: () => 'a😀b. Then' })

  it('says its reply, one character per token, and ends with token 0', async () => {
    expect(await collect(lm.generate({ prompt: 'hi' }))).toEqual({
      text: 'a😀b. Then',
      tokenIds: [...Array.from('a😀b. Then', (character) => character.codePointAt(0)), 0],
      finishReason: 'stop',
      usage: { promptTokens: 2, completionTokens: 10, cachedTokens: 0 },
    })
  })

  it('honours limits, stop strings and signals', async () => {
    const [short, stopped] = await lm.generateAll([
      { prompt: '', maxNewTokens: 2 },
      { prompt: '', stop: ['. T'] },
    ])
    expect([short!.text, short!.finishReason]).toEqual(['a😀', 'length'])
    expect([stopped!.text, stopped!.finishReason]).toEqual(['a😀b', 'stop'])
    const aborted = await collect(lm.generate({ prompt: '', signal: AbortSignal.abort() }))
    expect([aborted.text, aborted.finishReason]).toEqual(['a', 'aborted'])
  })

  it('scores as it is told', async () => {
    const scoring = fakeLm({ logProb: (ids, index) => -ids[index]! })
    expect(await scoring.score([[5, 6, 7], [1]])).toEqual([[null, -6, -7], [null]])
  })

  it('says messages back', async () => {
    const { text } = await collect(fakeLm().generate({ messages: [{ role: 'user', content: 'hi' }] }))
    expect(text).toBe('user: hi\n')
  })

  it('says which stop ended it: the request’s, not its own', async () => {
    const last = async (options: GenerateOptions) => {
      const { finishReason, stop, text } = await collect(lm.generate({ prompt: 'hi', ...options }))
      return [text, finishReason, stop]
    }
    expect(await last({ stop: ['😀b', 'b. '] })).toEqual(['a', 'stop', '😀b'])
    expect(await last({ stopTokenIds: [98] })).toEqual(['a😀', 'stop', 98])
    expect(await last({})).toEqual(['a😀b. Then', 'stop', undefined])
    expect(await last({ stop: ['a', 'b'], minTokens: 1 })).toEqual(['a😀', 'stop', 'b'])
    expect(await last({ ignoreEos: true, maxNewTokens: 12 })).toEqual(['a😀b. Then', 'length', undefined])
  })

  it('tells log-probabilities of prompt and continuation as it scores them', async () => {
    const scoring = fakeLm({
      reply: () => 'b',
      logProb: (ids, index) => -ids[index]! / 100 - index,
      candidates: () => [97, 99],
    })
    const asked = { topLogprobs: 2, logprobTokenIds: [100] }
    const { logprobs, promptLogprobs, tokenIds } = await collect(
      scoring.generate({ prompt: 'xy', promptLogprobs: true, ...asked }),
    )
    const [places] = await scoring.scoreTokens!([[...scoring.encode({ prompt: 'xy' }), ...tokenIds]], asked)
    expect([...promptLogprobs!, ...logprobs!]).toEqual(places)
    expect(logprobs![0]).toEqual({
      id: 98,
      logprob: -2.98,
      top: [
        { id: 97, logprob: -0.97 - 2 },
        { id: 98, logprob: -2.98 },
      ],
      named: [{ id: 100, logprob: -3 }],
    })
    expect((await collect(scoring.generate({ prompt: 'xy' }))).logprobs).toBeUndefined()
    expect(await scoring.score([[5, 6, 7]], { from: [2] })).toEqual([[null, null, -0.07 - 2]])
  })

  it('says what its reply says unless the request is against it', async () => {
    const text = async (options: GenerateOptions, reply = 'aaa') =>
      (await collect(fakeLm({ reply: () => reply, candidates: () => [98] }).generate({ prompt: '', ...options }))).text
    const only =
      (...texts: string[]) =>
      (made: readonly number[]) =>
        tokenBits(lm.encode({ prompt: texts[made.length] ?? '\0' }), lm.vocabSize)
    expect(await text({ mask: only('xy', 'a', 'b') })).toBe('xab') // the least that is allowed, or its own
    expect(await text({ logitBias: { 97: -100 } })).toBe('bbb')
    expect(await text({ logitBias: new Map([[99, 100]]), maxNewTokens: 2 })).toBe('cc')
    expect(await text({ presencePenalty: 1 })).toBe('aba')
    expect(await text({ frequencyPenalty: 1 }, 'aaaaa')).toBe('ababa')
    expect(await text({ mask: only('a'), minTokens: 1, maxNewTokens: 3 })).toBe('a')
    await expect(text({ mask: () => new Uint32Array(0x110000 / 32) })).rejects.toThrow('got none after 0 tokens')
  })

  it('says something else where that is refused, and goes on where it was cut', async () => {
    const lm = fakeLm({ reply: () => 'abcdef', candidates: () => [120] })
    const accept = (id: number, made: readonly number[]) => !(id === 98 && made.length === 1)
    const whole = await collect(lm.generate({ prompt: '', accept }))
    expect([whole.text, whole.usage.refusedTokens]).toEqual(['axcdef', 1])
    const rest = await collect(
      lm.generate({ prompt: '', accept, resumeIds: whole.tokenIds.slice(0, 2), maxNewTokens: 4 }),
    )
    expect([rest.text, rest.usage.promptTokens, rest.usage.completionTokens]).toEqual(['cd', 2, 2])
    const three = { structure: { regex: '[a-z]{3}' } }
    expect((await collect(lm.generate({ prompt: '', ...three, resumeIds: [97, 98] }))).text).toBe('c')
    await expect(collect(lm.generate({ prompt: '', accept: () => false }))).rejects.toThrow('got none after 0 tokens')
    await expect(collect(lm.generate({ prompt: '', resumeIds: [97], stop: ['a'] }))).rejects.toThrow(/^resumeIds/)
  })

  it('gives vectors', async () => {
    const texts = [[3, 4], [5]]
    expect(await lm.hidden!(texts)).toEqual([Float32Array.of(4, 1, 2), Float32Array.of(5, 0, 2)])
    expect(await lm.hidden!(texts, { layer: 1, pooling: 'mean' })).toEqual([
      Float32Array.of(3.5, 0.5, 1),
      Float32Array.of(5, 0, 1),
    ])
    expect(await lm.hidden!([[3, 4]], { layer: 0, pooling: 'none' })).toEqual([Float32Array.of(3, 0, 0, 4, 1, 0)])
    const unit = fakeLm({ vector: () => [3, 4] })
    expect(await unit.embed!([{ prompt: 'x' }])).toEqual([Float32Array.of(0.6, 0.8)])
  })

  it('knows the bytes of its tokens', () => {
    expect(['é', '\0'].map((text) => Array.from(lm.tokenBytes!(text.codePointAt(0)!)))).toEqual([[0xc3, 0xa9], []])
  })

  it('knows the text it has read', async () => {
    const reading = fakeLm({ reply: () => 'ok' })
    const cached = async (prompt: string, cacheSalt?: string) =>
      (await collect(reading.generate({ prompt, ...(cacheSalt !== undefined && { cacheSalt }) }))).usage.cachedTokens
    expect([await cached('abc'), await cached('abd'), await cached('abc'), await cached('abc', 'x')]).toEqual([
      0, 2, 2, 0,
    ])
  })

  it('refuses an adapter that it does not have', async () => {
    await expect(collect(lm.generate({ prompt: '', adapter: 'x' }))).rejects.toThrow(
      'adapter: expected one of none, got x',
    )
  })

  it('says nothing but what a structure allows', async () => {
    const lm = fakeLm({ reply: () => 'yes' })
    const say = async (structure: Structure) => (await collect(lm.generate({ prompt: 'x', structure }))).text
    expect(await say({ choice: ['no', 'yes'] })).toBe('yes')
    expect(await say({ regex: 'y[aeiou]+\\d' })).toMatch(/^ye\d$/)
    expect(await say({ json_schema: { type: 'boolean' } })).toBe('false')
  })
})

describe('fakeLm, of chats', () => {
  const messages = [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: 'a b ' },
  ]

  it('reads what it renders', () => {
    const lm = fakeLm()
    const read = (options: ChatPromptOptions) => lm.decode(lm.encode({ messages, ...options }))
    const begun = { addGenerationPrompt: true, tools: [{ name: 'f' }], documents: ['d'] }
    expect(read({ tools: [{ name: 'f' }], documents: ['d'] })).toBe(lm.renderChat!(messages, begun))
    expect(read(begun)).toBe('tool: {"name": "f"}\ndocument: "d"\nuser: hi\nassistant: a b \nassistant: ')
    expect(read({ addGenerationPrompt: false })).toBe(lm.renderChat!(messages))
    expect(read({ continueFinalMessage: true })).toBe('user: hi\nassistant: a b ')
    expect(lm.renderChat!(messages, { continueFinalMessage: true })).toBe('user: hi\nassistant: a b ')
    expect(() => read({ continueFinalMessage: true, addGenerationPrompt: true })).toThrow(UsageError)
    expect(lm.chatTemplate).toContain('message.role')
  })

  it('reads the last tokens only where that is asked for', async () => {
    const lm = fakeLm({ reply: () => 'x', contextLength: 8 })
    const generate = (maxPromptTokens: number) =>
      collect(lm.generate({ prompt: '0123456789', maxPromptTokens, promptLogprobs: true }))
    const { usage, promptLogprobs } = await generate(3)
    expect(usage.promptTokens).toBe(3)
    expect(promptLogprobs!.map((place) => place?.id)).toEqual([undefined, 56, 57])
    for (const wrong of [0, -1, 1.5]) await expect(generate(wrong)).rejects.toThrow('maxPromptTokens: expected')
    await expect(generate(9)).rejects.toThrow('prompt: expected')
  })
})

describe('fakeLm, of adapters', () => {
  it('takes them in and gives them up when their texts have ended', async () => {
    const lm = fakeLm({ adapters: ['a'] })
    await lm.loadAdapter!('b', 'somewhere')
    expect(lm.adapters).toEqual(['a', 'b'])
    await expect(lm.loadAdapter!('a', 'elsewhere')).rejects.toThrow(UsageError)
    const text = lm.generate({ prompt: 'abc', adapter: 'b' })[Symbol.asyncIterator]()
    await text.next()
    expect(lm.load).toMatchObject({ running: 1, usedBlocks: 1 })
    let isGone = false
    const gone = lm.unloadAdapter!('b').then(() => {
      isGone = true
    })
    await expect(collect(lm.generate({ prompt: 'abc', adapter: 'b' }))).rejects.toThrow('adapter: expected')
    await expect(lm.unloadAdapter!('b')).rejects.toThrow(UsageError)
    await expect(lm.loadAdapter!('b', 'somewhere')).rejects.toThrow(UsageError)
    expect(isGone).toBe(false)
    await text.return!()
    await gone
    await lm.loadAdapter!('b', 'somewhere')
    expect(lm.load).toMatchObject({ running: 0, usedBlocks: 0 })
  })
})
