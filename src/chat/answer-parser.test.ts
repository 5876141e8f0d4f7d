// Answers told apart: the same whatever their pieces, and what goes wrong elsewhere (docs of the cases beside them).
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChatDelta } from './answer.ts'
import { AnswerParser, type AnswerParserOptions } from './answer-parser.ts'
import { type ToolFamily, toolFamily } from './families.ts'

const TEMPLATES: Readonly<Record<string, string>> = {
  hermes: '{{ tools }}<tool_call>',
  llama: 'ipython "parameters": ',
  mistral: '[TOOL_CALLS][ARGS]',
  'mistral-list': '[TOOL_CALLS]',
  granite: '<|tool_call|>',
  phi: '<|tool_call|><|/tool_call|>',
  nemotron: '<TOOLCALL>',
  'qwen-xml': '<tool_call><function=<parameter=',
  gemma: '<|tool_call>call:<|"|>',
  'function-gemma': '<start_function_call>call:<escape>',
  generic: '',
}
const family = (name: string): ToolFamily => toolFamily(TEMPLATES[name])
const marks = { open: '<think>', close: '</think>' }
const names = new Set(['add', 'get_weather'])

function read(pieces: readonly string[], options: AnswerParserOptions) {
  const parser = new AnswerParser(options)
  const deltas: ChatDelta[] = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]
  const fold = { text: '', reasoning: '', calls: [] as { name: string; arguments: string }[] }
  for (const delta of deltas) {
    if (delta.type === 'text') fold.text += delta.text
    else if (delta.type === 'reasoning') fold.reasoning += delta.text
    else if (delta.type === 'tool-call') fold.calls[delta.index] = { name: delta.name, arguments: '' }
    else fold.calls[delta.index]!.arguments += delta.text
  }
  return { ...fold, deltas }
}
const using = (name: string, more: Partial<NonNullable<AnswerParserOptions['tools']>> = {}): AnswerParserOptions => ({
  tools: { family: family(name), names, isText: (_, parameter) => parameter === 'a', makeId: () => 'id', ...more },
})
const foldOf = ({ text, reasoning, calls }: ReturnType<typeof read>) => ({ text, reasoning, calls })

function asGemma(value: unknown, quote: string): string {
  if (typeof value === 'string') return quote + value + quote
  if (Array.isArray(value)) return `[${value.map((one) => asGemma(one, quote)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, one]) => `${key}:${asGemma(one, quote)}`)
    .join(',')}}`
}

/** One call as each family writes it. */
const CALLS: Readonly<Record<string, (name: string, json: string) => string>> = {
  hermes: (name, json) => `<tool_call>\n{"name": "${name}", "arguments": ${json}}\n</tool_call>`,
  generic: (name, json) => `<tool_call>\n{"name": "${name}", "arguments": ${json}}\n</tool_call>`,
  llama: (name, json) => `<|python_tag|>{"name": "${name}", "parameters": ${json}}`,
  mistral: (name, json) => `[TOOL_CALLS]${name}[ARGS]${json}`,
  'mistral-list': (name, json) => `[TOOL_CALLS] [{"name": "${name}", "arguments": ${json}, "id": "abcdefghi"}]`,
  granite: (name, json) => `<|tool_call|>[{"name": "${name}", "arguments": ${json}}]`,
  phi: (name, json) => `<|tool_call|>[{"name": "${name}", "arguments": ${json}}]<|/tool_call|>`,
  'qwen-xml': (name, json) => {
    const values = Object.entries(JSON.parse(json))
    const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
    return `<tool_call>\n<function=${name}>\n${values.map(([key, value]) => `<parameter=${key}>\n${text(value)}\n</parameter>\n`).join('')}</function>\n</tool_call>`
  },
  gemma: (name, json) => `<|tool_call>call:${name}${asGemma(JSON.parse(json), '<|"|>')}<tool_call|>`,
  'function-gemma': (name, json) =>
    `<start_function_call>call:${name}${asGemma(JSON.parse(json), '<escape>')}<end_function_call>`,
  nemotron: (name, json) => `<TOOLCALL>[{"name": "${name}", "arguments": ${json}}]</TOOLCALL>`,
}
const all = Object.keys(CALLS)
/** Arguments as they are read: those that are no JSON become such in one spelling. */
const spelt = (name: string, json: string): string =>
  family(name).notation === 'json'
    ? json
    : JSON.stringify(JSON.parse(json), null, 1)
        .replace(/([{[])\n\s*/g, '$1')
        .replace(/\n\s*([}\]])/g, '$1')
        .replace(/\n\s*/g, ' ')

describe.each(all)('calls of %s', (name) => {
  const call = CALLS[name]!
  const json = '{"a": "x\\"}]</tool_call> \\ud83d\\ude00 😀", "b": [1, {"c": null}]}'

  it('are told from the text before, between and behind them', () => {
    const said = `Well.\n${call('add', json)}\n\nand ${call('get_weather', '{}')} so`
    expect(foldOf(read([said], using(name)))).toEqual({
      text: 'Well.\nand so',
      reasoning: '',
      calls: [
        { name: 'add', arguments: name === 'qwen-xml' ? expect.any(String) : spelt(name, json) },
        { name: 'get_weather', arguments: '{}' },
      ],
    })
    expect(JSON.parse(read([said], using(name)).calls[0]!.arguments)).toEqual(JSON.parse(json))
  })

  it('are the same for every split of any text', () => {
    const part = fc.oneof(
      fc.constantFrom(
        'Hi ', '\n', '<think>', '</think>', '<tool', '[TOOL', '{', '"', '\\', '😀', ']', '[ARGS]', ';', '<', call('add', json), call('get_weather', '{"q":"\\u00e9"}'),
        call('unknown', '{}'), call('add', json).slice(0, -9), call('add', '{"a": 7}').replace('7', '<'), '{"name": "add", "parameters": {"b": 1}}', '[{"name": "add"}, {"name": "no"}]',
        '{"arguments": {"x": 1}, "name": "add"}', '{"name": "add", "arguments": "{\\"a\\": \\"\\ud83d\\ude00\\"}"}',
      ), // biome-ignore format: a list
      fc.string({ maxLength: 6 }),
    )
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.constantFrom(undefined, { marks, isOpen: false }, { marks, isOpen: true }),
        fc.boolean(),
        (parts, cuts, reasoning, isFirst) => {
          const text = parts.join('')
          const options = { ...using(name, { isFirst }), ...(reasoning !== undefined && { reasoning }) }
          const whole = foldOf(read([text], options))
          const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length]
          expect(
            foldOf(
              read(
                at.slice(1).map((end, i) => text.slice(at[i], end)),
                options,
              ),
            ),
          ).toEqual(whole)
          expect(foldOf(read(text.split(''), options))).toEqual(whole)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('take the white space around them, where no text is on both sides', () => {
    for (const said of [`\n ${call('add', '{}')}\n so`, `\n${call('add', '{}')}\n${call('add', '{}')}so`])
      expect(read(said.split(''), using(name)).text).toBe('so')
    expect(read([`Well ${call('add', '{}')}\n`], using(name)).text).toBe('Well')
    expect(read([`Well${call('add', '{}')}\nso`], using(name)).text).toBe('Well\nso')
  })

  it('come with a name that is whole and once, before arguments in parts', () => {
    const { deltas } = read(call('add', json).split(''), using(name))
    const kinds = deltas.map(({ type }) => type)
    expect(kinds[0]).toBe('tool-call')
    expect(kinds.slice(1).every((kind) => kind === 'tool-arguments')).toBe(true)
    expect(kinds.length).toBeGreaterThan(20)
    expect(deltas.every((delta) => delta.type === 'tool-call' || delta.text.isWellFormed())).toBe(true)
  })

  it('are text where no tool has the name, or they end before it', () => {
    for (const text of [call('subtract', '{"a":1}'), call('add', '{}').slice(0, 16)])
      expect(foldOf(read([text], using(name)))).toEqual({ text, reasoning: '', calls: [] })
  })

  it('keep the arguments that have come when they are cut', () => {
    const cut = call('add', '{"a": "hello"}').replace(/hello[\s\S]*/, 'hello')
    expect(read([cut], using(name)).calls).toEqual([{ name: 'add', arguments: '{"a": "hello' }])
  })

  it('are text in an answer that is bound to be something else, but for its beginning', () => {
    const text = `{"said": ${JSON.stringify(call('add', '{}'))}}`
    expect(foldOf(read([text], using(name, { isFirst: true })))).toEqual({ text, reasoning: '', calls: [] })
    expect(read([call('add', '{}')], using(name, { isFirst: true })).calls).toHaveLength(1)
  })
})

describe('the reader', () => {
  it('reads calls without a mark, one behind another, as Llama writes them', () => {
    const said =
      '{"name": "add", "parameters": {"a": 1}}; {"type": "function", "name": "get_weather", "parameters": {}}'
    expect(read([said], using('llama')).calls).toEqual([
      { name: 'add', arguments: '{"a": 1}' },
      { name: 'get_weather', arguments: '{}' },
    ])
    for (const text of ['{"answer": 4}', 'See {"name": "add", "parameters": {}}', '{'])
      expect(foldOf(read([text], using('llama')))).toEqual({ text, reasoning: '', calls: [] })
  })

  it('reads lists of calls, and newer ones with an id', () => {
    const list = '[TOOL_CALLS] [{"name": "add", "arguments": {}}, {"arguments": {"q": 2}, "name": "get_weather"}]'
    expect(read([list], using('mistral-list')).calls).toEqual([
      { name: 'add', arguments: '{}' },
      { name: 'get_weather', arguments: '{"q": 2}' },
    ])
    const several = '[TOOL_CALLS]add[CALL_ID]abc123def[ARGS]{"a": 1}[TOOL_CALLS]get_weather{"b": 2}'
    expect(read([several], using('mistral')).calls).toEqual([
      { name: 'add', arguments: '{"a": 1}' },
      { name: 'get_weather', arguments: '{"b": 2}' },
    ])
  })

  it('takes arguments that are missing, or JSON within a text', () => {
    const call = (rest: string) => `<tool_call>{"name": "add"${rest}}</tool_call>`
    const read1 = (rest: string) => read([call(rest)], using('hermes')).calls[0]?.arguments
    expect(read1('')).toBe('{}')
    expect(read1(', "arguments": "{\\"a\\": \\"\\ud83d\\ude00\\"}"')).toBe('{"a": "😀"}')
    expect(read1(', "arguments": "it \\"is\\" so"')).toBe('"it \\"is\\" so"') // no JSON within: a string of JSON
    expect(read1(', "arguments": ""')).toBe('{}')
    expect(read1(', "na\\"me": {"x": "\\\\"}, "arguments": {"a": 1}')).toBe('{"a": 1}')
    expect(read1(', "arguments": {"a": 1}, "parameters": {"b": 2}')).toBe('{"a": 1}')
  })

  it('goes on behind a call that is no JSON', () => {
    const said = '<tool_call>{"name": "add", "arguments": {"a": </tool_call>\n<tool_call>{"name": "add"}</tool_call>'
    expect(foldOf(read([said], using('hermes')))).toEqual({
      text: '',
      reasoning: '',
      calls: [
        { name: 'add', arguments: '{"a": ' },
        { name: 'add', arguments: '{}' },
      ],
    })
  })

  it('gives out what begins like a mark and is none', () => {
    for (const text of ['a <tool', 'a <tool_cal>l', '<<tool_call', ' \n'])
      expect(read(text.split(''), using('hermes')).text).toBe(text)
  })

  it('splits thoughts off where they stand first', () => {
    const options = (isOpen: boolean): AnswerParserOptions => ({ reasoning: { marks, isOpen } })
    const said = (text: string, isOpen = false) => foldOf(read(text.split(''), options(isOpen)))
    expect(said('<think>\nhm <b>\n</think>\n\nyes\n')).toEqual({ reasoning: 'hm <b>', text: 'yes\n', calls: [] })
    expect(said('hm\n</think>\n\nyes', true)).toEqual({ reasoning: 'hm', text: 'yes', calls: [] })
    // vllm#40816: what was never closed is no answer.
    expect(said('hm, let me', true)).toEqual({ reasoning: 'hm, let me', text: '', calls: [] })
    expect(said('yes <think>no</think>')).toEqual({ reasoning: '', text: 'yes <think>no</think>', calls: [] })
    expect(said('<thin')).toEqual({ reasoning: '', text: '<thin', calls: [] })
    expect(foldOf(read(['<think>a</think>'], {})).text).toBe('<think>a</think>')
  })

  it('finds no calls in thoughts', () => {
    const call = CALLS.hermes!('add', '{}')
    const found = read([`I could ${call}</think>${call}`], { ...using('hermes'), reasoning: { marks, isOpen: true } })
    expect([found.reasoning, found.calls.length]).toEqual([`I could ${call}`, 1])
  })
})

describe('what went wrong in other servers', () => {
  const call = (name: string, json: string) => CALLS.hermes!(name, json)
  const whole = (name: string, given: string) => [{ name, arguments: given }]
  it.each<[issue: string, pieces: string[], expected: Partial<ReturnType<typeof foldOf>>, isOpen?: boolean]>([
    ['vllm#11392, #28806: empty arguments lost', call('add', '{}').split(''), { calls: whole('add', '{}') }],
    ['vllm#10395: arguments guessed shut', [call('add', '{"a": "}{"}')], { calls: whole('add', '{"a": "}{"}') }],
    ['vllm#35705: calls merged', [call('add', '{"a": 1}') + call('add', '{"a": 2}')], { calls: [...whole('add', '{"a": 1}'), ...whole('add', '{"a": 2}')] }],
    ['llama.cpp#20260: text before a call, behind thoughts', [`hm</think>\n\nI look.\n\n${call('add', '{}')}`], { reasoning: 'hm', text: 'I look.', calls: whole('add', '{}') }, true],
    ['tt-inference-server#4386: a mark over two tokens', ['hm <', '/think>{', '"a": 1}'], { reasoning: 'hm', text: '{"a": 1}' }, true],
    ['Qwen3#1755: white space before a call as content', ['hm\n</think>', '\n\n', call('add', '{}')], { reasoning: 'hm', text: '', calls: whole('add', '{}') }, true],
    ['vllm#17506: no call found where nobody thinks', [call('add', '{}')], { reasoning: '', calls: whole('add', '{}') }, false],
    ['vllm#40816: thoughts without an end as content', ['hm, ', 'let me'], { reasoning: 'hm, let me', text: '' }, true],
    ['a mark of the end within an argument', [call('add', '{"a": "</tool_call>"}'), ' so'], { text: 'so', calls: whole('add', '{"a": "</tool_call>"}') }],
  ])('%s', (_, pieces, expected, isOpen) => {
    const options = { ...using('hermes'), ...(isOpen !== undefined && { reasoning: { marks, isOpen } }) }
    expect(foldOf(read(pieces, options))).toMatchObject(expected)
  }) // biome-ignore format: a table
})
