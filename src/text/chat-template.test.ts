import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../errors.ts'
import { CHATML_TEMPLATE, type ChatInput, type ChatMessage, renderChat } from './chat-template.ts'

// Made by scripts/goldens/text.py with Transformers.
const golden = JSON.parse(readFileSync(new URL('../../test/fixtures/text/chats.json', import.meta.url), 'utf8')) as {
  templates: Record<string, string>
  chats: ChatInput[]
  cases: { template: string; chat: number; prompt: boolean; text: string }[]
}

const hi: ChatMessage[] = [{ role: 'user', content: 'hi' }]

describe('renderChat', () => {
  it.each(Object.keys(golden.templates))('renders what Transformers renders (%s)', (name) => {
    const cases = golden.cases.filter((one) => one.template === name)
    expect(cases.length).toBeGreaterThan(0)
    for (const { chat, prompt, text } of cases) {
      const input = { ...golden.chats[chat]!, addGenerationPrompt: prompt, bosToken: '<s>', eosToken: '</s>' }
      expect(renderChat(golden.templates[name]!, input)).toBe(text)
    }
  })

  it('has ChatML for models without a template', () => {
    expect(renderChat(CHATML_TEMPLATE, { messages: hi, addGenerationPrompt: true })).toBe(
      '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n',
    )
  })

  it('tells the time it is given', () => {
    const now = new Date(2024, 6, 4, 9, 5, 7)
    const template = "{{ strftime_now('%d %b %Y|%B %-d, %y|%A %a %H:%M:%S %I %p|%F|%%|%Q') }}"
    expect(renderChat(template, { messages: hi, now })).toBe(
      '04 Jul 2024|July 4, 24|Thursday Thu 09:05:07 09 AM|2024-07-04|%|%Q',
    )
  })

  it('passes on what the template refuses, as one error', () => {
    const template = "{{ raise_exception('roles must alternate') }}"
    expect(() => renderChat(template, { messages: hi })).toThrow(
      new TokenizerError('chat template refused the chat: roles must alternate'),
    )
  })

  it('says on one line what went wrong, and where', () => {
    expect(() => renderChat("{{ raise_exception('no\\n\\x1b[31mred') }}", { messages: hi })).toThrow(
      new TokenizerError('chat template refused the chat: no \x1b[31mred'),
    )
    expect(() => renderChat('a\n{{ messages[0].x.y }}', { messages: hi })).toThrow(
      /^chat template failed in line 2: 'dict object' has no attribute 'x'/,
    )
  })

  it('leaves a token that has no name undefined', () => {
    const template = '{{ bos_token is defined }} {{ pad_token }} {{ unk_token is defined }}'
    expect(renderChat(template, { messages: hi, namedTokens: { pad_token: '<pad>' } })).toBe('False <pad> False')
    expect(renderChat(template, { messages: hi, bosToken: '' })).toBe('True  False')
  })

  it('keeps variables away from its own names', () => {
    const variables = { messages: [], range: 1, add_generation_prompt: true, namespace: 2, mine: 3 }
    expect(
      renderChat('{{ messages[0].content }}{{ add_generation_prompt }}{{ mine }}', { messages: hi, variables }),
    ).toBe('hiFalse3')
  })

  it('writes what an iteration wrote before a break or continue', () => {
    const template =
      '{% for i in range(9) %}{{ i }}{% if i == 1 %}-{% continue %}{% endif %}{% if i == 3 %}!{% break %}{% endif %},{% endfor %}.'
    expect(renderChat(template, { messages: hi })).toBe('0,1-2,3!.')
  })

  it('sees no prototypes and no host objects', () => {
    const paths = [
      'messages.constructor',
      'messages[0].__proto__',
      "messages[0]['constructor']",
      "''.__class__",
      'range.constructor',
      'namespace.prototype',
    ]
    for (const path of paths) expect(renderChat(`{{ ${path} }}`, { messages: hi }), path).toBe('')
    for (const attack of [
      "messages.constructor.constructor('return process')()",
      "''.__class__.__mro__[1].__subclasses__()",
      'cycler.__init__.__globals__.os',
      "raise_exception.constructor('x')()",
    ]) {
      let result = ''
      try {
        result = renderChat(`{{ ${attack} }}`, { messages: hi })
      } catch (error) {
        expect(error).toBeInstanceOf(TokenizerError)
      }
      expect(result, attack).toBe('')
    }
    const own = JSON.parse('[{"role": "user", "__proto__": {"content": "x"}}]') as ChatMessage[]
    expect(renderChat("{{ messages[0].content }}{{ messages[0]['__proto__'].content }}", { messages: own })).toBe('x')
  })

  it('calls no function that comes in a message', () => {
    const messages = [{ role: 'user', content: () => 'called' }]
    expect(renderChat('{{ messages[0].content }}', { messages })).toBe('')
  })
})

const BIG =
  "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(18) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"

const NESTED = '{% set ns = namespace(x=(1, 1)) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}'

describe('limits of renderChat', () => {
  it.each([
    ['a huge range', '{% for i in range(1000000000) %}x{% endfor %}', 'range'],
    ['loops in loops', '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}', 'steps'],
    [
      'a list looped over again and again',
      '{% set x = range(99999) %}{% for i in x %}{% for j in x %}{% endfor %}{% endfor %}',
      'steps',
    ],
    [
      'text that doubles',
      "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
      'output',
    ],
    [
      'a list that doubles',
      '{% set ns = namespace(x=[1, 2]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}',
      'items',
    ],
    ['much output', `{% for i in range(100000) %}${'y'.repeat(100)}{% endfor %}`, 'output'],
    ['searching long text', `${BIG}{% for i in range(100000) %}{% if 'b' in ns.x %}{% endif %}{% endfor %}`, 'steps'],
    [
      'sorting long texts',
      `${BIG}{% set l = [ns.x, ns.x, ns.x, ns.x] %}{% for i in range(100000) %}{% set q = l | sort %}{% endfor %}`,
      'steps',
    ],
    ['cutting long text to pieces', `${BIG}{% set y = ns.x.split('a') %}`, 'items'],
    ['lists of lists, printed', `${NESTED}{{ ns.x }}`, 'steps'],
    ['lists of lists, as JSON', `${NESTED}{{ ns.x | tojson }}`, 'steps'],
    ['lists of lists, compared', `${NESTED}{% set y = ns.x %}${NESTED}{{ ns.x == y }}`, 'steps'],
    ['tuples of tuples as a key', `${NESTED.replaceAll('[ns.x, ns.x]', '(ns.x, ns.x)')}{{ {ns.x: 1} }}`, 'items'],
    [
      'a list nested deeply',
      '{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}',
      'depth',
    ],
    ['text times text', `${BIG}{{ ns.x.replace('a', ns.x) }}`, 'output'],
    ['a separator many times', `${BIG}{{ range(100000) | join(ns.x) }}`, 'output'],
    ['text in capitals', `${BIG}{% for i in range(100000) %}{% set y = ns.x.upper() %}{% endfor %}`, 'steps'],
    [
      'a macro that calls itself twice',
      '{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}',
      'steps',
    ],
    ['a power of powers', '{{ 2 ** 99999999 }}', 'digits'],
    ['wide formats', "{{ '%999999999d' % 1 }}", 'output'],
    ['wide fields', "{{ '{:>999999999}'.format(1) }}", 'output'],
    ['a wide time', "{{ strftime_now('%999999999Y') }}", 'output'],
    ['many slices', '{{ [1] | slice(99999999) | list }}', 'items'],
    ['endless recursion', '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}', 'depth'],
    ['a long chain of operators', `{{ ${'1+'.repeat(50_000)}1 }}`, 'depth'],
    ['a large source', 'x'.repeat(300_000), 'source'],
  ])('stops %s', (_name, template, limit) => {
    expect(() => renderChat(template, { messages: hi })).toThrow(`template limit exceeded: ${limit}`)
  })

  it.each([
    ['nested parentheses', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`],
    ['nested negations', `{{ ${'not '.repeat(60_000)}1 }}`],
    ['open expressions', '{{'.repeat(130_000)],
    ['open statements', '{%'.repeat(130_000)],
    ['open comments', '{#'.repeat(130_000)],
    ['a wide indent', `{{ 'a\\nb' | indent(500000000) }}`],
    ['a wide JSON', '{{ messages | tojson(indent=500000000) }}'],
    ['tags that are not closed', "{{ ('<' * 1000000) | striptags | length.x.y }}"],
    ['an unknown filter', '{{ messages | system }}'],
    ['an unknown call', "{{ messages.pop('x') }}"],
  ])('gives one error for %s', (_name, template) => {
    expect(() => renderChat(template, { messages: hi })).toThrow(TokenizerError)
  })

  it('stops messages that nest or loop', () => {
    const loop: ChatMessage = { role: 'user' }
    loop.content = loop
    expect(() => renderChat('x', { messages: [loop] })).toThrow(/limit exceeded: nesting/)
  })

  it('lets a long ordinary chat pass', () => {
    const messages = Array.from({ length: 2048 }, (_, i) => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content: 'x'.repeat(3000),
    }))
    expect(renderChat(golden.templates.think!, { messages }).length).toBeGreaterThan(6_000_000)
  })
})
