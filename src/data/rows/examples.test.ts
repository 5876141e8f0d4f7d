import { describe, expect, it } from 'vitest'
import type { SourceRow } from '../read/sources.ts'
import { type ExampleOptions, readExample, readRow } from './examples.ts'

const source = (row: SourceRow['row'], line = 1): SourceRow => ({ row, id: { file: 'data.jsonl', offset: 0, line } })
const read = (row: SourceRow['row'], options?: ExampleOptions) => readExample(source(row), options)
const user = (content: string) => ({ role: 'user' as const, content })
const assistant = (content: string) => ({ role: 'assistant' as const, content })
const system = (content: string) => ({ role: 'system' as const, content })

describe('readExample', () => {
  it('reads alpaca: input below the instruction, system first, history before', () => {
    expect(read({ instruction: 'Add', input: '1 + 1', output: '2' })).toEqual({
      kind: 'conversation',
      messages: [user('Add\n1 + 1'), assistant('2')],
    })
    expect(read({ instruction: 'B', input: '', output: 'b', system: 'S', history: [['A', 'a']] })).toEqual({
      kind: 'conversation',
      messages: [system('S'), user('A'), assistant('a'), user('B'), assistant('b')],
    })
    for (const blank of [' ', '\n', '\u00a0\t'])
      expect(read({ instruction: 'A', input: blank, output: 'a' })).toEqual(read({ instruction: 'A', output: 'a' }))
    // A rendered text beside the fields does not make it plain text.
    expect(read({ instruction: 'A', output: 'a', text: '### A' }).kind).toBe('conversation')
  })

  it('reads ShareGPT with tools: calls become the assistant’s, observations the tool’s', () => {
    const row = {
      conversations: [
        { from: 'human', value: 'Weather?' },
        { from: 'function_call', value: '{"name": "weather", "arguments": {"city": "Aarhus"}}' },
        { from: 'observation', value: '{"celsius": 9}' },
        { from: 'gpt', value: '9 °C.' },
      ],
      tools: '[{"name": "weather", "description": "d", "parameters": {"type": "object"}}]',
    }
    expect(read(row)).toEqual({
      kind: 'conversation',
      messages: [
        user('Weather?'),
        {
          ...assistant(''),
          tool_calls: [{ type: 'function', function: { name: 'weather', arguments: { city: 'Aarhus' } } }],
        },
        { role: 'tool', content: '{"celsius": 9}' },
        assistant('9 °C.'),
      ],
      tools: [{ type: 'function', function: { name: 'weather', description: 'd', parameters: { type: 'object' } } }],
    })
    expect(
      read({
        conversations: [
          { from: 'human', value: 'a' },
          { from: 'gpt', value: 'b' },
        ],
        tools: '[]',
      }),
    ).not.toHaveProperty('tools')
  })

  it('reads OpenAI messages: calls with ids and JSON arguments, null content, parts, weights', () => {
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } }
    const parts = [
      { type: 'text', text: 'one ' },
      { type: 'text', value: 'two' },
    ]
    const row = {
      messages: [
        { role: 'developer', content: 'D' },
        { role: 'user', content: parts, loss_weight: 0 },
        { role: 'assistant', content: null, tool_calls: [call], reasoning_content: 'hm' },
        { role: 'tool', content: '1', tool_call_id: 'c1', name: 'f' },
        { role: 'assistant', content: 'done', loss_weight: 1 },
      ],
    }
    expect(read(row)).toEqual({
      kind: 'conversation',
      messages: [
        { role: 'developer', content: 'D' },
        { ...user('one two'), isTrained: false },
        {
          ...assistant(''),
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
          reasoning_content: 'hm',
        },
        { role: 'tool', content: '1', tool_call_id: 'c1', name: 'f' },
        { ...assistant('done'), isTrained: true },
      ],
    })
  })

  it('reads prompt and completion as strings and as messages', () => {
    expect(read({ prompt: 'a', completion: 'b' })).toEqual({ kind: 'prompt-completion', prompt: 'a', completion: 'b' })
    expect(read({ prompt: [user('a')], completion: [assistant('b')] })).toMatchObject({ completion: [assistant('b')] })
    expect(read({ prompt: [user('a')], completion: 'b' })).toMatchObject({ completion: [assistant('b')] })
    expect(read({ prompt: 'a' })).toEqual({ kind: 'prompt', prompt: 'a' })
    expect(read('just text')).toEqual({ kind: 'text', text: 'just text' })
  })

  const preference = {
    kind: 'preference',
    prompt: [user('Q')],
    chosen: [assistant('good')],
    rejected: [assistant('bad')],
  }
  it.each<[string, Record<string, unknown>]>([
    ['a prompt in messages', { prompt: [user('Q')], chosen: [assistant('good')], rejected: [assistant('bad')] }],
    ['string answers to messages', { prompt: [user('Q')], chosen: 'good', rejected: 'bad' }],
    ['an implicit prompt', { chosen: [user('Q'), assistant('good')], rejected: [user('Q'), assistant('bad')] }],
    [
      'a repeated prompt',
      { prompt: [user('Q')], chosen: [user('Q'), assistant('good')], rejected: [user('Q'), assistant('bad')] },
    ],
    [
      'ShareGPT',
      {
        conversations: [{ from: 'human', value: 'Q' }],
        chosen: { from: 'gpt', value: 'good' },
        rejected: { from: 'gpt', value: 'bad' },
      },
    ],
    ['alpaca', { instruction: 'Q', chosen: 'good', rejected: 'bad' }],
    [
      'chosen_messages',
      { chosen_messages: [user('Q'), assistant('good')], rejected_messages: [user('Q'), assistant('bad')] },
    ],
  ])('reads preference pairs: %s', (_, row) => {
    expect(read(row)).toEqual(preference)
  })

  it('finds the prompt that two strings share, up to the space before the answers', () => {
    expect(read({ chosen: 'The sky is blue.', rejected: 'The sky is green.' })).toEqual({
      kind: 'preference',
      prompt: 'The sky is',
      chosen: ' blue.',
      rejected: ' green.',
    })
  })

  it('reads unpaired labels', () => {
    expect(read({ prompt: 'a', completion: 'b', label: false })).toMatchObject({ kind: 'labelled', label: false })
    const chat = { messages: [user('a'), assistant('b')], label: true }
    expect(read(chat)).toEqual({ kind: 'labelled', prompt: [user('a')], completion: [assistant('b')], label: true })
    expect(read({ instruction: 'a', output: 'b', kto_tag: true })).toMatchObject({ prompt: [user('a')], label: true })
  })

  it('reads what is beside the pair or the completion', () => {
    const sky = { chosen: 'It is blue today.', rejected: 'It is green.' }
    const prompt = [system('Be brief.'), user('What colour is the sky?')]
    const pair = { prompt, chosen: [assistant(sky.chosen)], rejected: [assistant(sky.rejected)] }
    for (const asked of ['question', 'input', 'query', 'instruction', 'prompt'])
      expect(read({ system: 'Be brief.', [asked]: 'What colour is the sky?', ...sky })).toMatchObject(pair)
    expect(read({ system: 'S', prompt: 'a', completion: 'b' })).toEqual({
      kind: 'prompt-completion',
      prompt: [system('S'), user('a')],
      completion: [assistant('b')],
    })
    const chat = { kind: 'conversation', messages: [user('a'), assistant('b')] }
    expect(read({ question: 'a', answer: 'b' })).toEqual(chat)
    expect(read({ prompt: 'a', response: 'b' })).toEqual(chat)
    expect(read({ input: 'a', output: 'b' })).toEqual(chat)
    expect(read({ question: 'a', context: 'c', answer: 'b' })).toMatchObject({
      messages: [user('a\nc'), assistant('b')],
    })
  })

  it('refuses text that nobody would read, but not what only repeats the chat or has another name', () => {
    const pair = { chosen: 'b', rejected: 'c' }
    expect(() => read({ prompt: 'a', context: 'The sky.', ...pair })).toThrow(
      /data\.jsonl:1: .*got 'context' besides, which nobody would read\. Say what it is, for example columns: \{instruction: prompt, input: context\}, or leave out with columns: \{context: null\}$/,
    )
    expect(() => read({ prompt: 'x', completion: 'y', question: 'Which?' })).toThrow(/got 'question' besides/)
    expect(() => read({ messages: [user('a'), assistant('b')], history: [['x', 'y']] })).toThrow(/'history'/)
    expect(read({ prompt: 'a', context: 'The sky.', ...pair }, { columns: { context: null } })).toMatchObject({
      prompt: 'a',
    })
    const repeated = { prompt: 'a', prompt_id: '7f', source: 'web', messages: [user('a'), assistant('b')] }
    expect(read(repeated, { purpose: 'supervised' })).toMatchObject({ kind: 'conversation' })
  })

  it.each<[Record<string, unknown>, unknown]>([
    [{ prompt: 'a', context: 'The sky.', chosen: 'b', rejected: 'c' }, { prompt: [user('a\nThe sky.')] }],
    [{ prompt: 'a', input: 'The sky.', completion: 'b' }, { messages: [user('a\nThe sky.'), assistant('b')] }],
    [{ question: 'a', instruction: 'The sky.', output: 'b' }, { messages: [user('The sky.\na'), assistant('b')] }],
    [{ messages: [user('a'), assistant('b')], context: 'The sky.' }, undefined],
  ])('advises columns that read such a text, where there are some: %j', (row, expected) => {
    let told = ''
    try {
      read(row)
    } catch (error) {
      told = (error as Error).message
    }
    const text = /for example columns: \{([^}]*)\}/.exec(told)?.[1]
    if (expected === undefined) {
      expect(told).toMatch(/nobody would read\. Leave out with columns: \{context: null\}$/)
      return
    }
    const columns = Object.fromEntries(text!.split(', ').map((pair) => pair.split(': ') as [string, string]))
    expect(read(row, { columns })).toMatchObject(expected as object)
  })

  it('lets the purpose decide which shapes are possible', () => {
    const supervised = { purpose: 'supervised' } as const
    const chat = [user('a'), assistant('b')]
    expect(read({ messages: chat, label: 'math' }, supervised)).toEqual({ kind: 'conversation', messages: chat })
    expect(read({ instruction: 'a', output: 'b', label: 1 }, supervised)).toEqual({
      kind: 'conversation',
      messages: chat,
    })
    const whole = { messages: chat, chosen: chat, rejected: [user('a'), assistant('c')] }
    expect(read(whole, supervised)).toEqual({ kind: 'conversation', messages: chat })
    expect(read({ ...whole, label: true }, { purpose: 'preference' })).toMatchObject({ prompt: [user('a')] })
    expect(() => read({ prompt: 'a', chosen: 'b', rejected: 'c' }, supervised)).toThrow(
      /got a row of the shape preference \{chosen, rejected\}\. Train it with stage: dpo/,
    )
  })

  it('names the nearest shape and the one field that is missing', () => {
    expect(() => read({ question: 'a', reply: 'b' }, { purpose: 'supervised' })).toThrow(
      /found fields question, reply\. Nearest is alpaca \{instruction, output\}, where 'output' is missing: rename .* columns: \{output: reply\}/,
    )
    expect(() => read({ prompt: 'a', chosen: 'b', bad: 'c', worse: 'd' }, { purpose: 'preference' })).toThrow(
      /Nearest is preference \{chosen, rejected\}, where 'rejected' is missing.*columns: \{rejected: …\}/,
    )
    expect(read({ question: 'a', reply: 'b' }, { columns: { output: 'reply' } })).toMatchObject({
      kind: 'conversation',
    })
    // As LLaMA-Factory's registry names them.
    const columns = { prompt: 'q', query: 'more', response: 'a', system: 's' }
    expect(read({ q: 'Add', more: '1 + 1', a: '2', s: 'S' }, { columns })).toMatchObject({
      messages: [system('S'), user('Add\n1 + 1'), assistant('2')],
    })
    expect(() => read({ q: 7, more: '', a: '2' }, { columns })).toThrow(/field 'q': expected a string, got 7/)
  })

  it('reads the older function_call, and takes null and empty lists for absent', () => {
    const call = { name: 'f', arguments: '{"x":1}' }
    const made = { tool_calls: [{ type: 'function', function: { name: 'f', arguments: { x: 1 } } }] }
    const rows = [
      { role: 'assistant', content: '', function_call: call },
      { role: 'assistant', content: null, function_call: call, tool_calls: null },
      { role: 'assistant', content: null, tool_calls: [{ type: 'function', id: null, function: call }] },
    ]
    for (const turn of rows)
      expect(read({ messages: [user('a'), turn] })).toMatchObject({
        messages: [user('a'), { ...assistant(''), ...made }],
      })
    const turns = [
      { from: 'human', value: 'hi', role: null, content: null },
      { role: 'assistant', content: 'b', from: null, value: null, tool_calls: [], function_call: null },
    ]
    expect(read({ conversations: turns })).toEqual({ kind: 'conversation', messages: [user('hi'), assistant('b')] })
  })

  it('reads turns that a table holds as JSON', () => {
    const turns = JSON.stringify([user('a'), assistant('b')])
    expect(read({ messages: turns })).toMatchObject({ messages: [user('a'), assistant('b')] })
    expect(read({ prompt: JSON.stringify([user('a')]), completion: '[{"x": 1}]' })).toMatchObject({
      prompt: [user('a')],
      completion: [assistant('[{"x": 1}]')],
    })
  })

  it('reads pairs under the names of StackExchange, whose first answer is the better one', () => {
    const row = { qid: 7, question: 'a', response_j: 'b', response_k: 'c', metadata: ['https://example.org'] }
    const pair = { kind: 'preference', prompt: [user('a')], chosen: [assistant('b')], rejected: [assistant('c')] }
    for (const options of [{}, { purpose: 'preference' as const }]) expect(read(row, options)).toEqual(pair)
    expect(() => read(row, { purpose: 'supervised' })).toThrow(
      /\{instruction, chosen, rejected\}. Train it with stage: dpo/,
    )
    expect(() => read({ question: 'a', response_j: 'b' }, { purpose: 'preference' })).toThrow(
      /^row in data.jsonl:1: expected chosen and rejected answers, .*'rejected' is missing/,
    )
  })

  it('takes names from the caller', () => {
    const columns = { prompt: 'question', chosen: 'response_j', rejected: 'response_k' }
    expect(read({ question: 'a', response_j: 'b', response_k: 'c' }, { columns })).toEqual({
      kind: 'preference',
      prompt: 'a',
      chosen: 'b',
      rejected: 'c',
    })
  })

  it('says row, field, value and what would do', () => {
    const failures: [Record<string, unknown>, RegExp][] = [
      [
        { title: 'a', body: 'b' },
        /data.jsonl:1: expected one of .*alpaca \{instruction, output\}.*found fields title, body.*columns/,
      ],
      [
        {
          conversations: [
            { from: 'human', value: 'a' },
            { from: 'nobody', value: 'b' },
          ],
        },
        /:1, field 'conversations'\[1\].from: expected .*gpt.*, got "nobody"/,
      ],
      [{ messages: [] }, /'messages': expected a list of messages, got \[\]/],
      [{ messages: [user('a')] }, /at least one turn of the assistant.*got \["user"\]/],
      [{ messages: [{ role: 'user', content: 7 }] }, /\[0\].content: expected a string.*got 7/],
      [{ instruction: 'a', output: 7 }, /'output': expected a string, got 7/],
      [{ instruction: 'a', output: 'b', history: [['x']] }, /'history'\[0\]: expected \[question, answer\]/],
      [
        {
          conversations: [
            { from: 'function_call', value: '{oops' },
            { from: 'gpt', value: 'x' },
          ],
        },
        /\[0\].value: expected JSON/,
      ],
      [
        { chosen: [user('a'), assistant('b')], rejected: [user('x'), assistant('b')] },
        /turns that chosen and rejected share/,
      ],
      [{ instruction: 'a', output: null }, /'output': expected an answer, got an empty one/],
      [{ messages: [user('a'), assistant('')] }, /'messages'\[1\]: expected an answer, got an empty one/],
      [
        { system: 'S', messages: [system('T'), user('a'), assistant('b')] },
        /'system': expected the system message that/,
      ],
      [{ messages: "[{'role': 'user'}]" }, /'messages': expected JSON .*Python’s notation: write it with json\.dumps/],
      [{ chosen: [assistant('b')], rejected: 'c' }, /same form/],
      [{ prompt: 'a', completion: 'b', label: 'maybe' }, /'label': expected true or false, got "maybe"/],
      [{ messages: [user('a'), assistant('b')], tools: '[{"x": 1}]' }, /'tools'\[0\]: expected \{name/],
    ]
    for (const [row, message] of failures) expect(() => read(row)).toThrow(message)
    expect(() => read({ text: 'a' }, { shape: 'alpaca' })).toThrow(/'instruction': expected a value, as in alpaca/)
    expect(() => read({ constructor: 1, toString: 2 } as never)).toThrow(/found fields constructor/)
  })
})

describe('keys of turns', () => {
  it.each([{ loss: false }, { loss: 0 }, { masked: true }, { weight: 0 }, { train: false }])(
    'leave a turn out of what is learnt: %j',
    (mark) => {
      const row = { messages: [user('q'), { ...assistant('a'), ...mark }, user('r'), assistant('b')] }
      const { messages } = read(row) as { messages: { isTrained?: boolean }[] }
      expect(messages.map(({ isTrained }) => isTrained)).toEqual([undefined, false, undefined, undefined])
    },
  )

  it('never make the words of others learnt by saying that they are not masked', () => {
    const row = { messages: [{ ...user('q'), masked: false, loss: true }, assistant('a')] }
    expect((read(row) as { messages: object[] }).messages[0]).toEqual(user('q'))
  })

  it('are told where nobody reads them, nulls apart', () => {
    const turns = [user('q'), { ...assistant('a'), training: false, refusal: null }]
    expect(readRow(source({ messages: turns })).unread).toEqual(['messages[].training'])
    expect(readRow(source({ messages: JSON.stringify(turns) })).unread).toEqual(['messages[].training'])
    expect(readRow(source({ prompt: [user('q')], completion: turns.slice(1) })).unread).toEqual([
      'completion[].training',
    ])
    expect(readRow(source({ messages: [user('q'), assistant('a')] })).unread).toEqual([])
  })
})
