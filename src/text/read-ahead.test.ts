import { describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyTokenizer } from '../../test/tiny-model.ts'
import { encodeChat } from './chat-encoding.ts'
import type { ChatMessage } from './chat-template.ts'
import { insertion } from './read-ahead.ts'

const tokenizer = tinyTokenizer(TINY_CHAT_TEMPLATE)
const call = (name: string): object => ({ type: 'function', function: { name, arguments: {} } })
const asked: ChatMessage[] = [
  { role: 'user', content: 'Add.' },
  { role: 'assistant', content: 'Well,', tool_calls: [call('f'), call('g')] },
  { role: 'tool', content: 'one' },
  { role: 'tool', content: 'two' },
  { role: 'assistant', content: 'Done.' },
]

/** A template whose turns of the assistant have `inside` behind what it says, and which has no turns of tools. */
const template = (inside: string): string =>
  "{%- for m in messages %}{%- if m.role != 'tool' %}{{- '<|im_start|>' + m.role + '\\n' + m.content }}" +
  `{%- if m.tool_calls %}{%- set at = loop.index0 %}${inside}{%- endif %}{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}` +
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
const NEXT = 'messages[at + 1]'
const isAnswer = (index: string): string =>
  `at + ${index} < messages | length and messages[at + ${index}].role == 'tool'`

/** What is learnt of the assistant's first turn, and whether all that is another's could be told. */
function learnt(inside: string, messages: ChatMessage[] = asked): [text: string, hasUntoldFrame: boolean] {
  const { ids, spans } = encodeChat(tokenizer, template(inside), { messages })
  const { bodyStart, end, foreign, hasUntoldFrame } = spans[1]!
  const own = Array.from({ length: end - bodyStart }, (_, i) => bodyStart + i).filter(
    (at) => !foreign.some(([from, to]) => at >= from && at < to),
  )
  return [tokenizer.decode(own.map((at) => ids[at]!)), hasUntoldFrame]
}

describe('what is written for answers that are read ahead', () => {
  it('is not the caller’s, frame and all', () => {
    const one = `{{- ' call' }}{%- if ${isAnswer('1')} %}{{- '\\n<answer>\\n' + ${NEXT}.content + '\\n</answer>' }}{%- endif %}`
    expect(learnt(one, [...asked.slice(0, 3), asked[4]!])).toEqual(['Well, call<|im_end|>\n', false])
    expect(learnt(one, asked.slice(0, 2))).toEqual(['Well, call<|im_end|>\n', false])
  })

  it('is found for several answers, in a row or each behind its call, and for an empty one', () => {
    const both = `{{- ' f g' }}{%- for k in [1, 2] %}{%- if at + k < messages | length and messages[at + k].role == 'tool' %}{{- ' [' ~ messages[at + k].content ~ ']' }}{%- endif %}{%- endfor %}`
    expect(learnt(both)).toEqual(['Well, f g<|im_end|>\n', false])
    const silent = asked.map((message) => (message.role === 'tool' ? { ...message, content: '' } : message))
    expect(learnt(both, silent)).toEqual(['Well, f g<|im_end|>\n', false])
    const between = `{%- for c in m.tool_calls %}{{- ' ' ~ c.function.name }}{%- set k = at + loop.index %}{%- if k < messages | length and messages[k].role == 'tool' %}{{- ' [' ~ messages[k].content ~ ']' }}{%- endif %}{%- endfor %}`
    expect(learnt(between)).toEqual(['Well, f g<|im_end|>\n', false])
  })

  it('leaves out the answer alone, and says so, where the rest of the turn changes with it', () => {
    const changing = `{%- if ${isAnswer('1')} %}{{- ' asks <' + ${NEXT}.content + '> and goes on' }}{%- else %}{{- ' waits' }}{%- endif %}`
    expect(learnt(changing)).toEqual(['Well, asks <> and goes on<|im_end|>\n', true])
    const failing = `{%- if ${isAnswer('1')} %}{{- ' <' + ${NEXT}.content + '>' }}{%- else %}{{- raise_exception('no answer') }}{%- endif %}`
    expect(learnt(failing)).toEqual(['Well, <><|im_end|>\n', true])
  })

  it('is nothing where answers have turns of their own', () => {
    const { spans } = encodeChat(tokenizer, TINY_CHAT_TEMPLATE, { messages: asked })
    expect(spans.map((span) => [span!.foreign.length, span!.hasUntoldFrame])).toEqual(Array(5).fill([0, false]))
  })
})

describe('insertion', () => {
  const tokens = new Set(['<|end|>'])
  it.each([
    ['call<r>X</r>', 'call', [4, 12]],
    ['<c></c><r>X</r><|end|>', '<c></c><|end|>', [7, 15]],
    ['call\n<r>X</r>\n<|end|>', 'call\n<|end|>', [5, 14]],
    ['aaaa', 'aa', [2, 4]],
    ['same', 'same', [4, 4]],
    ['call<r>X', 'other', undefined],
    ['ab', 'abc', undefined],
  ])('of what makes %j out of %j', (longer, shorter, range) => {
    expect(insertion(longer, shorter, tokens)).toEqual(range)
    if (range !== undefined) expect(longer.slice(0, range[0]) + longer.slice(range[1])).toBe(shorter)
  })
})
