import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../errors.ts'
import { renderChat } from './chat-template.ts'

const chat = (given: unknown) => ({
  messages: [{ role: 'assistant', tool_calls: [{ type: 'function', function: { name: 'f', arguments: given } }] }],
})
const CALLS = '{% for c in messages[0].tool_calls %}'
const AS_TEXT = `${CALLS}{{ '<call>' + c.function.arguments }}{% endfor %}`
const AS_MAPPING = `${CALLS}{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }};{% endfor %}{% endfor %}`

describe('arguments of tool calls', () => {
  it('are given as text where a template adds them to one', () => {
    expect(renderChat(AS_TEXT, chat({ a: 1, b: 'é' }))).toBe('<call>{"a": 1, "b": "é"}')
    expect(renderChat(AS_TEXT, chat('{"a":1}'))).toBe('<call>{"a":1}')
  })

  it('are given as a mapping where a template looks into them', () => {
    expect(renderChat(AS_MAPPING, chat('{"a": 1.0, "b": "x"}'))).toBe('a=1.0;b=x;')
    expect(renderChat(AS_MAPPING, chat({ a: 1 }))).toBe('a=1;')
  })

  it('stay as they are where neither helps, and the error is that of what was given', () => {
    expect(() => renderChat(AS_MAPPING, chat('no JSON'))).toThrow(TokenizerError)
    expect(() => renderChat(`${AS_TEXT}{{ 1 + 'a' }}`, chat({ a: 1 }))).toThrow(
      /can only concatenate str \(not "dict"\)/,
    )
    expect(renderChat(`${CALLS}{{ c.function.arguments | tojson }}{% endfor %}`, chat('{"a": 1}'))).toBe(
      '"{\\"a\\": 1}"',
    )
  })
})
