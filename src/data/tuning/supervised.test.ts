import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tinyTokenizer } from '../../../test/tiny-model.ts'
import { plainAddedToken } from '../../text/stages/added-tokens.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { preview, stretches } from '../preview.ts'
import type { Conversation, Example, Message } from '../rows/conversation.ts'
import { SupervisedEncoder, supervisedTokens } from './supervised.ts'

const runs = process.env.ANNEAL_LONG === '1' ? 5000 : 150

const tokenizerJson = (name: string): Record<string, unknown> => {
  const file = new URL(`../../../test/fixtures/text/tokenizer-${name}.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { tokenizer: Record<string, unknown> }).tokenizer
}

/** A fixture with these control tokens added. */
function withControls(name: string, controls: readonly string[], roles: Record<string, string>): Tokenizer {
  const json = tokenizerJson(name)
  const added = json.added_tokens as { id: number; content: string }[]
  const vocab = (json.model as { vocab: Record<string, number> }).vocab
  const next = 1 + Math.max(...Object.values(vocab), ...added.map(({ id }) => id))
  const more = controls
    .filter((content) => !added.some((token) => token.content === content))
    .map((content, i) => plainAddedToken(next + i, content))
  return Tokenizer.fromJson({ ...json, added_tokens: [...added, ...more] }, { roles })
}

interface Family {
  tokenizer: Tokenizer
  template: string
  /** What ends a turn. */
  end: string
  control: readonly string[]
}

const FAMILIES: Record<string, Family> = {
  chatml: {
    tokenizer: withControls('qwen2', ['<|im_start|>', '<|im_end|>'], { eos: '<|im_end|>', pad: '<|im_end|>' }),
    template:
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    end: '<|im_end|>',
    control: ['<|im_start|>', '<|im_end|>'],
  },
  llama3: {
    tokenizer: withControls(
      'llama3',
      ['<|begin_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>', '<|end_of_text|>'],
      { bos: '<|begin_of_text|>', eos: '<|end_of_text|>' },
    ),
    template:
      "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    end: '<|eot_id|>',
    control: ['<|eot_id|>', '<|start_header_id|>', '<|end_of_text|>'],
  },
  mistral: {
    tokenizer: withControls('llama2-legacy', [], { bos: '<s>', eos: '</s>', pad: '</s>' }),
    template:
      "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' or message['role'] == 'system' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token}}{% endif %}{% endfor %}",
    end: '</s>',
    control: ['<s>', '</s>'],
  },
  gemma: {
    tokenizer: withControls('smollm', ['<bos>', '<eos>', '<start_of_turn>', '<end_of_turn>'], {
      bos: '<bos>',
      eos: '<eos>',
    }),
    template:
      "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}",
    end: '<end_of_turn>',
    control: ['<start_of_turn>', '<end_of_turn>', '<eos>'],
  },
}
const families = Object.entries(FAMILIES)

const encoderOf = ({ tokenizer, template }: Family, turns: 'all' | 'last' = 'all'): SupervisedEncoder =>
  new SupervisedEncoder({ tokenizer, chatTemplate: template, turns })
const turn = (role: Message['role'], content: string): Message => ({ role, content })
const chat = (...messages: Message[]): Conversation => ({ kind: 'conversation', messages })
const learnt = (encoder: SupervisedEncoder, example: Parameters<SupervisedEncoder['encode']>[0]): string[] =>
  stretches(encoder.encode(example, 'x.jsonl:1'), encoder.tokenizer)
    .filter(({ isLearnt }) => isLearnt)
    .map(({ text }) => text)

describe('SupervisedEncoder of chats', () => {
  it.each(families)('learns what the assistant says and the end of its turn, nothing else (%s)', (name, family) => {
    const word = fc.constantFrom('yes', 'no', 'é', '日本', '👍', '42', 'user', 'assistant', ...family.control)
    const content = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join(' '))
    const pairs = fc.array(fc.tuple(content, content), { minLength: 1, maxLength: 3 })
    const ends = family.tokenizer.tokenToId(family.end)!
    fc.assert(
      fc.property(pairs, (turns) => {
        const messages = turns.flatMap(([asked, said]) => [turn('user', asked), turn('assistant', said)])
        const encoder = encoderOf(family)
        const said = turns.map(([, answer]) => answer)
        // SentencePiece writes the space before the answer into its first token, and this template begins answers with one.
        const trimmed = (texts: string[]): string[] => (name === 'mistral' ? texts.map((text) => text.trim()) : texts)
        expect(trimmed(learnt(encoder, chat(...messages)))).toEqual(said.map((answer) => answer + family.end))
        expect(trimmed(learnt(encoderOf(family, 'last'), chat(...messages)))).toEqual([said.at(-1)! + family.end])
        const { ids, labels } = encoder.encode(chat(...messages), '')
        // One end per answer is learnt, also where a pad token has its id, and no user or assistant can spell one.
        expect(labels.filter((label) => label === ends).length).toBe(turns.length)
        expect(ids.filter((id) => id === ends).length).toBe(turns.length * (name === 'mistral' ? 1 : 2))
      }),
      { numRuns: runs },
    )
  })

  it('leaves out turns that the data says are not learnt', () => {
    const messages = [
      turn('user', 'a'),
      { ...turn('assistant', 'b'), isTrained: false },
      turn('user', 'c'),
      turn('assistant', 'd'),
    ]
    expect(learnt(encoderOf(FAMILIES.chatml!), chat(...messages))).toEqual(['d<|im_end|>'])
  })

  it('takes the start token from the template only', () => {
    const { ids } = encoderOf(FAMILIES.gemma!).encode(chat(turn('user', 'a'), turn('assistant', 'b')), '')
    const bos = FAMILIES.gemma!.tokenizer.bosTokenId!
    expect([ids[0], ids.filter((id) => id === bos).length]).toEqual([bos, 1])
  })

  it('learns the completion of a chat prompt, not the answers in the prompt', () => {
    const prompt = [turn('user', 'a'), turn('assistant', 'b'), turn('user', 'c')]
    const example = { kind: 'prompt-completion', prompt, completion: [turn('assistant', 'd')] } satisfies Example
    expect(learnt(encoderOf(FAMILIES.llama3!), example)).toEqual(['d<|eot_id|>'])
  })

  it('learns calls of tools, not their results', () => {
    const template =
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content }}{% for c in m.tool_calls or [] %}{{ '<tool_call>' + (c.function | tojson) + '</tool_call>' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    const call = { type: 'function', function: { name: 'add', arguments: { a: 1 } } } as const
    const messages = [
      turn('user', 'add'),
      { ...turn('assistant', ''), tool_calls: [call] },
      turn('tool', '2'),
      turn('assistant', 'Two.'),
    ]
    const encoder = encoderOf({ ...FAMILIES.chatml!, template })
    expect(learnt(encoder, chat(...messages))).toEqual([
      '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call><|im_end|>',
      'Two.<|im_end|>',
    ])
  })

  it('counts chats in which what stands around an answer could not be told from the caller’s words', () => {
    const ahead = (otherwise: string): string =>
      "{%- for m in messages %}{%- if m.role != 'tool' %}{{- '<|im_start|>' + m.role + '\\n' + m.content }}" +
      "{%- if m.role == 'assistant' %}{%- if loop.index0 + 1 < messages | length %}{{- '<call>[' + messages[loop.index0 + 1].content + ']' }}" +
      `{%- else %}{{- '${otherwise}' }}{%- endif %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}` +
      "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
    const noticesOf = (template: string): readonly string[] => {
      const encoder = new SupervisedEncoder({ tokenizer: FAMILIES.chatml!.tokenizer, chatTemplate: template })
      const row = chat(turn('user', 'add'), turn('assistant', 'I call'), turn('tool', '2'))
      for (const place of ['x:1', 'x:2']) encoder.encode(row, place)
      return encoder.notices('x')
    }
    expect(noticesOf(ahead(''))).toEqual([])
    expect(noticesOf(ahead(' nobody'))).toEqual([
      expect.stringMatching(
        /^in 2 chats the chat template writes a tool's answer .*Put a chat template that gives answers turns of their own/,
      ),
    ])
  })

  it('refuses a template that leaves out tools or calls of them', () => {
    const encoder = encoderOf(FAMILIES.chatml!)
    const call = { type: 'function', function: { name: 'add', arguments: { a: 1 } } } as const
    const calls = chat(turn('user', 'add'), { ...turn('assistant', ''), tool_calls: [call] })
    expect(() => encoder.encode(calls, 'x.jsonl:3')).toThrow(
      /^row in x\.jsonl:3: expected the chat template to write the tool or call 'add', got a rendering without it\. Put a chat template that knows tools into chat_template\.jinja beside tokenizer\.json/,
    )
    const tool = { type: 'function', function: { name: 'sum' } } as const
    const offered = { ...chat(turn('user', 'a'), turn('assistant', 'b')), tools: [tool] }
    expect(() => encoder.encode(offered, 'x.jsonl:4')).toThrow(/tool or call 'sum'/)
  })

  it('names the row that has nothing to learn', () => {
    const encoder = encoderOf(FAMILIES.chatml!)
    expect(() => encoder.encode(chat(turn('user', 'a')), 'data.jsonl:7')).toThrow(
      /^row in data\.jsonl:7: expected at least one answer to learn from, got roles user\. /,
    )
    const noAssistant = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    expect(() =>
      encoderOf({ ...FAMILIES.chatml!, template: noAssistant }).encode(
        chat(turn('user', 'a'), turn('assistant', 'b')),
        'data.jsonl:8',
      ),
    ).toThrow(/data\.jsonl:8, message 1: expected the chat template to write it/)
    const preference = { kind: 'preference', prompt: 'a', chosen: 'b', rejected: 'c' } as const
    expect(() => encoder.encode(preference, 'data.jsonl:9')).toThrow(
      /data\.jsonl:9: .* got a preference row.*stage: dpo/,
    )
  })
})

describe('SupervisedEncoder of texts', () => {
  const tokenizer = tinyTokenizer() // a token per byte; <s> is put in front
  const encoder = new SupervisedEncoder({ tokenizer })
  const [bos, eos] = [1, 2]
  const byte = (text: string): number[] => [...Buffer.from(text)].map((value) => 5 + value)

  it('learns a completion and the end of the text', () => {
    const { ids, labels } = encoder.encode({ kind: 'prompt-completion', prompt: 'ab', completion: 'c' }, '')
    expect([...ids]).toEqual([bos, ...byte('abc'), eos])
    expect([...labels]).toEqual([-100, -100, -100, ...byte('c'), eos])
  })

  it('learns all of a plain text but its first token', () => {
    const { ids, labels } = encoder.encode({ kind: 'text', text: 'ab' }, '')
    expect([...ids]).toEqual([bos, ...byte('ab'), eos])
    expect([...labels]).toEqual([-100, ...byte('ab'), eos])
  })

  it('reads control tokens in a text only when asked', () => {
    const example = { kind: 'prompt-completion', prompt: 'a', completion: '</s>' } as const
    expect(supervisedTokens(encoder.encode(example, ''))).toBe(5)
    const trusting = new SupervisedEncoder({ tokenizer, allowSpecial: true })
    // The end that is there is not put there again, as TRL does it.
    expect([...trusting.encode(example, '').ids]).toEqual([bos, ...byte('a'), eos])
  })

  it('counts a token that is partly prompt as completion', () => {
    const qwen = Tokenizer.fromJson(tokenizerJson('qwen2'))
    const prompt = 'The answer'
    const { ids, labels } = new SupervisedEncoder({ tokenizer: qwen }).encode(
      { kind: 'prompt-completion', prompt, completion: ' is yes' },
      '',
    )
    expect([...ids]).toEqual([...qwen.encode(`${prompt} is yes`)])
    expect(qwen.decode(ids.filter((_, i) => labels[i] !== -100))).toContain('is yes')
  })

  it('refuses an empty completion', () => {
    expect(() => encoder.encode({ kind: 'prompt-completion', prompt: 'a', completion: '' }, 'x:1')).toThrow(
      /row in x:1/,
    )
  })
})

describe('preview', () => {
  const encoder = encoderOf(FAMILIES.chatml!)
  const sample = encoder.encode(chat(turn('user', 'Hi\u001b[2J'), turn('assistant', 'Hé!')), '')

  it('marks what is learnt and shows control characters', () => {
    expect(preview(sample, encoder.tokenizer)).toBe(
      '<|im_start|>user\nHi\\u001b[2J<|im_end|>\n<|im_start|>assistant\n⟦Hé!<|im_end|>⟧\n',
    )
  })
  it('shortens long stretches in the middle', () => {
    const long = encoder.encode(chat(turn('user', 'x'.repeat(5000)), turn('assistant', 'y')), '')
    expect(preview(long, encoder.tokenizer, { maxStretch: 20 })).toBe(
      '<|im_start … 5030 characters … assistant\n⟦y<|im_end|>⟧\n',
    )
  })
})
