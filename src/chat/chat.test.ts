// Conversations with a made-up model, whose tokens are characters: what it would say, and what the request leaves of it.
import { describe, expect, it } from 'vitest'
import { PythonRandom } from '../eval/python-random.ts'
import { type FakeLmOptions, fakeLm } from '../lm/fake-lm.ts'
import type { GenerateRequest, Lm } from '../lm/lm.ts'
import { collectChat } from './answer.ts'
import { chat } from './chat.ts'
import { chatNotices } from './plan.ts'
import type { ChatRequest, Tool } from './request.ts'

const tool = (name: string, parameters?: unknown, strict?: boolean): Tool => ({
  type: 'function',
  function: { name, ...(parameters !== undefined && { parameters }), ...(strict !== undefined && { strict }) },
})
const add = tool('add', { properties: { a: { type: 'integer' }, b: { type: 'integer' } }, required: ['a', 'b'] })
const weather = tool('get_weather', {
  type: 'object',
  properties: { city: { enum: ['Rome', 'Oslo'] } },
  required: ['city'],
})
const tools = [add, weather]
const HERMES = '{{ tools }}<tool_call>'
const LLAMA = 'ipython "parameters": '
const TEMPLATES = [
  HERMES,
  LLAMA,
  '[TOOL_CALLS][ARGS]',
  '[TOOL_CALLS]',
  '<|tool_call|>',
  '<TOOLCALL>',
  '<tool_call><function=<parameter=',
  '<|tool_call>call:<|"|>',
  '<start_function_call>call:<escape>',
  '',
]

/** A model that says this, with a chat template of this text. */
function says(reply: string, chatTemplate = HERMES, options: FakeLmOptions = {}) {
  const asked: GenerateRequest[] = []
  const lm = fakeLm({
    ...options,
    reply: (request) => {
      asked.push(request)
      return reply
    },
  })
  const renderChat: Lm['renderChat'] = (given, options) =>
    JSON.stringify(options?.tools ?? '') + lm.renderChat!(given, options)
  return { lm: { ...lm, chatTemplate, renderChat } as Lm, asked }
}
const messagesOf = ([first]: readonly GenerateRequest[]) =>
  (first as unknown as { messages: { role: string; content: string }[] }).messages
const messages = [{ role: 'user', content: 'Hi' }]
const answer = (lm: Lm, request: Partial<ChatRequest> = {}) =>
  collectChat(chat(lm, { messages, random: new PythonRandom(1).random.bind(new PythonRandom(1)), ...request }))
const call = (name: string, json: string) => `<tool_call>\n{"name": "${name}", "arguments": ${json}}\n</tool_call>`

describe('an answer with tools', () => {
  it('is text where no call comes, as it would be without tools', async () => {
    const text = ' It is <b>4</b>, {"a": 1} \n'
    for (const template of TEMPLATES)
      expect(await answer(says(text, template).lm, { tools })).toMatchObject({
        text,
        toolCalls: [],
        finishReason: 'stop',
      })
  })

  it('has calls, ids and their reason', async () => {
    const said = `Let me see.\n${call('add', '{"a": 1, "b": 2}')}\n${call('get_weather', '{"city": "Oslo"}')}`
    const { text, toolCalls, finishReason } = await answer(says(said).lm, { tools })
    expect([text, finishReason]).toEqual(['Let me see.', 'tool_calls'])
    expect(toolCalls).toEqual([
      { id: expect.stringMatching(/^call_[A-Za-z0-9]{24}$/), name: 'add', arguments: '{"a": 1, "b": 2}' },
      { id: expect.stringMatching(/^call_[A-Za-z0-9]{24}$/), name: 'get_weather', arguments: '{"city": "Oslo"}' },
    ])
    const mistral = await answer(says('[TOOL_CALLS]add[ARGS]{"a": 1, "b": 2}', '[TOOL_CALLS][ARGS]').lm, { tools })
    expect(mistral.toolCalls[0]!.id).toMatch(/^[A-Za-z0-9]{9}$/)
  })

  it('is bound to a call once one begins: its name and arguments', async () => {
    const said = call('subtract', '{"a": "one", "city": "Paris"}')
    const { toolCalls } = await answer(says(said).lm, { tools })
    expect(toolCalls).toHaveLength(1)
    expect(['add', 'get_weather']).toContain(toolCalls[0]!.name)
    const bare = await answer(says('{"name": "subtract", "parameters": {}}', LLAMA).lm, { tools })
    expect(bare).toMatchObject({ text: '', finishReason: 'tool_calls' })
    const bound = await answer(says(call('get_weather', '{"city": "Paris"}')).lm, { tools })
    expect(['Rome', 'Oslo']).toContain(JSON.parse(bound.toolCalls[0]!.arguments).city)
  })

  it.each(TEMPLATES)('has to call where that is required, or this tool (%s)', async (template) => {
    const { lm } = says('I would rather not.', template)
    const required = await answer(lm, { tools, toolChoice: 'required', parallelToolCalls: false })
    expect(required).toMatchObject({ text: '', finishReason: 'tool_calls' })
    expect(required.toolCalls).toHaveLength(1)
    const named = await answer(lm, { tools, toolChoice: { name: 'get_weather' }, parallelToolCalls: false })
    expect(named.toolCalls).toMatchObject([{ name: 'get_weather' }])
    expect(['Rome', 'Oslo']).toContain(JSON.parse(named.toolCalls[0]!.arguments).city)
  })

  it('has one call at most where calls are not parallel', async () => {
    const twice = `${call('add', '{"a": 1, "b": 2}')}\n${call('add', '{"a": 3, "b": 4}')}`
    expect((await answer(says(twice).lm, { tools })).toolCalls).toHaveLength(2)
    expect((await answer(says(twice).lm, { tools, parallelToolCalls: false })).toolCalls).toHaveLength(1)
    // Llama's template refuses a history with two.
    const object = '{"name": "add", "parameters": {"a": 1, "b": 2}}'
    expect((await answer(says(`${object}; ${object}`, LLAMA).lm, { tools })).toolCalls).toHaveLength(1)
  })

  it('has none, and no tools in its prompt, where the choice is none', async () => {
    const { lm, asked } = says(call('add', '{}'))
    const { text, toolCalls } = await answer(lm, { tools, toolChoice: 'none' })
    expect([text, toolCalls]).toEqual([call('add', '{}'), []])
    expect(asked[0]).not.toHaveProperty('tools')
    expect(asked[0]).not.toHaveProperty('structure')
  })

  it('is of its structure or calls', async () => {
    const structure = { json_schema: { properties: { n: { type: 'integer' } }, required: ['n'] } }
    const { lm } = says('{"n": 7}')
    expect(await answer(lm, { tools, structure })).toMatchObject({ text: '{"n": 7}', toolCalls: [] })
    const calls = await answer(says(call('add', '{"a": 1, "b": 2}')).lm, { tools, structure })
    expect(calls).toMatchObject({ text: '', toolCalls: [{ name: 'add' }], finishReason: 'tool_calls' })
    const spelt = `x ${call('add', '{"a": 1, "b": 2}')}`.replaceAll('\n', '')
    expect(await answer(says(spelt).lm, { tools, structure: { regex: '.*' } })).toMatchObject({ text: spelt })
    expect(JSON.parse((await answer(says('Seven').lm, { tools, structure })).text || '{"n":0}')).toHaveProperty('n')
  })

  it('is cut by no stop string within a call, and by those in its text', async () => {
    const said = `One. ${call('get_weather', '{"city": "Oslo"}')} Two. Three.`
    const cut = await answer(says(said).lm, { tools, stop: ['Oslo', 'o. Th'] })
    expect(cut).toMatchObject({ text: 'One. Tw', finishReason: 'tool_calls', stop: 'o. Th' })
    expect(cut.toolCalls[0]!.arguments).toBe('{"city": "Oslo"}')
    expect(cut.tokenIds).toHaveLength(cut.usage.completionTokens)
    const apart = await answer(says(`One${call('get_weather', '{"city": "Oslo"}')}Two`).lm, { tools, stop: ['eT'] })
    expect(apart.text).toBe('OneTwo')
    const early = await answer(says(said).lm, { tools, stop: ['ne'] })
    expect(early).toMatchObject({ text: 'O', toolCalls: [], finishReason: 'stop', stop: 'ne' })
    expect(early.tokenIds).toHaveLength(3)
  })

  it('that is cut has its reason from there', async () => {
    const lm = says('A text that is longer than may be').lm
    expect(await answer(lm, { tools, maxNewTokens: 10 })).toMatchObject({ text: 'A text tha', finishReason: 'length' })
  })

  it('passes log-probabilities on', async () => {
    const said = call('add', '{"a": 1, "b": 2}')
    const { logprobs, tokenIds } = await answer(says(said).lm, { tools, logprobs: true })
    expect(logprobs).toHaveLength(tokenIds.length)
  })
})

describe('a template without tools', () => {
  it('has them in the system text, and says so', async () => {
    const { lm, asked } = says('Hi', '')
    const { notices } = await answer(lm, { tools, messages: [{ role: 'system', content: 'Be brief.' }, ...messages] })
    expect(notices).toEqual([
      'tools: written into the texts of the messages, for the chat template has no place for them',
    ])
    expect(notices).toEqual(chatNotices(lm, { messages, tools }))
    const [system] = messagesOf(asked)
    expect(system!.content).toMatch(/^Be brief\.\n\nYou may call these functions:\n\{"name":"add",/)
    expect(asked[0]).not.toHaveProperty('tools')
  })

  it('has calls and answers as texts, and turns that alternate', async () => {
    const { lm, asked } = says('4', '')
    const called = { id: 'x', type: 'function', function: { name: 'add', arguments: '{"a":1}' } }
    await answer(lm, {
      tools,
      messages: [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: null, tool_calls: [called, called] },
        { role: 'tool', tool_call_id: 'x', content: '2' },
        { role: 'tool', tool_call_id: 'x', content: '3' },
      ],
    })
    const given = messagesOf(asked).slice(1)
    const spelled = '<tool_call>\n{"name": "add", "arguments": {"a":1}}\n</tool_call>'
    expect(given).toEqual([
      { role: 'user', content: 'q' },
      { role: 'assistant', content: `${spelled}\n${spelled}` },
      { role: 'user', content: '<tool_response>\n2\n</tool_response>\n<tool_response>\n3\n</tool_response>' },
    ])
  })

  it('that refuses a system message has them in the first message of the user', async () => {
    const { lm, asked } = says('Hi', '')
    const strict: Lm = {
      ...lm,
      encode: (prompt) => {
        if ('messages' in prompt && prompt.messages[0]!.role === 'system') throw new Error('System role not supported')
        return lm.encode(prompt)
      },
    }
    await answer(strict, { tools })
    const given = messagesOf(asked)
    expect(given.map(({ role }) => role)).toEqual(['user'])
    expect(given[0]!.content).toMatch(/^You may call[\s\S]*\n\nHi$/)
  })
})

it('with a template that speaks of tools and writes none is spelt to', async () => {
  const { lm, asked } = says('Hi')
  const { notices } = await answer({ ...lm, renderChat: () => 'user: .' }, { tools })
  expect(notices).toHaveLength(1)
  expect(messagesOf(asked)[0]!.content).toMatch(/^You may call/)
})

describe('thoughts', () => {
  const THINKS = '<think></think>{{ tools }}<tool_call>'
  it('are told apart, counted and not bound by the structure', async () => {
    const said = '<think>\nhm\n</think>\n\n{"n": 1}'
    const structure = { json_schema: { properties: { n: { type: 'integer' } }, required: ['n'] } }
    const found = await answer(says(said, THINKS).lm, { structure })
    expect(found).toMatchObject({ reasoning: 'hm', text: '{"n": 1}' })
    expect(found.usage.reasoningTokens).toBe('<think>\nhm\n</think>'.length)
    const plain = await answer(says(said, HERMES).lm)
    expect(plain).toMatchObject({ reasoning: '', text: said, usage: { reasoningTokens: 0 } })
  })

  it('that the prompt has opened come first, and are all there is where nothing closes them', async () => {
    const { lm } = says('hm\n</think>\n\nyes', THINKS)
    const opened: Lm = { ...lm, renderChat: () => 'assistant\n<think>\n' }
    expect(await answer(opened)).toMatchObject({ reasoning: 'hm', text: 'yes', finishReason: 'stop' })
    const cut = await answer(opened, { maxNewTokens: 5 })
    expect(cut).toMatchObject({ reasoning: 'hm\n</', text: '', finishReason: 'length', usage: { reasoningTokens: 5 } })
    const closed: Lm = { ...lm, renderChat: () => 'assistant\n<think>\n\n</think>\n\n' }
    expect(await answer(closed)).toMatchObject({ reasoning: '', text: 'hm\n</think>\n\nyes' })
    const typed = says('<think>a</think>b', THINKS).lm
    expect(await answer({ ...typed, renderChat: closed.renderChat! })).toMatchObject({ text: '<think>a</think>b' })
  })

  it('come before calls, required ones too', async () => {
    const said = `<think>I must add.</think>\n\n${call('add', '{"a": 1, "b": 2}')}`
    for (const toolChoice of ['auto', 'required'] as const) {
      const found = await answer(says(said, THINKS).lm, { tools, toolChoice, parallelToolCalls: false })
      expect(found).toMatchObject({ reasoning: 'I must add.', text: '', toolCalls: [{ name: 'add' }] })
    }
  })
})

describe('tools that are malformed', () => {
  const refused = (request: Partial<ChatRequest>) => answer(says('Hi').lm, request)
  it.each<[Partial<ChatRequest>, string]>([
    [{ tools: [] }, 'tools: expected a list of at least one tool, got []'],
    [{ tools: Array.from({ length: 129 }, (_, i) => tool(`t${i}`)) }, 'tools: expected at most 128, got 129'],
    [{ tools: [{ ...add, type: 'retrieval' } as never] }, 'tools[0].type: expected "function", got "retrieval"'],
    [{ tools: [add, tool('a b')] }, 'tools[1].function.name: expected 1 to 64 of letters, digits, _ and -, got "a b"'],
    [{ tools: [add, add] }, 'tools[1].function.name: expected a name of its own, got add again'],
    [
      { tools: [tool('f', { type: 'array' })] },
      'tools[0].function.parameters: expected a JSON Schema of an object, got one of type "array"',
    ],
    [{ toolChoice: 'required' }, 'tool_choice: expected tools beside it, got "required" alone'],
    [{ tools, toolChoice: { name: 'sub' } }, 'tool_choice: expected one of add, get_weather, got "sub"'],
    [
      { tools, toolChoice: 'any' as never },
      'tool_choice: expected none, auto, required or the name of a tool, got "any"',
    ],
    [
      { tools: [tool('f', { properties: { a: { not: {} } } }, true)] },
      "tools[0].function.parameters (f): /properties/a/not: expected a keyword that masks can keep, got 'not'",
    ],
    [{ tools, ignoreEos: true }, 'tools: expected them without `ignoreEos`, got both'],
  ])('are refused by name %#', async (request, message) => {
    await expect(refused(request)).rejects.toThrow(message)
  })

  it('with a schema that cannot be kept to may have any object, and that is said', async () => {
    const loose = [tool('f', { properties: { a: { not: {} } } })]
    const found = await answer(says(call('f', '{"a": 1}')).lm, { tools: loose })
    expect(found.toolCalls).toMatchObject([{ name: 'f', arguments: '{"a": 1}' }])
    expect(found.notices![0]).toMatch(/^arguments of f: any object, not the schema: \/properties\/a\/not/)
  })
})
