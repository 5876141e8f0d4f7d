import type { LanguageModelV3Prompt, LanguageModelV3ToolResultOutput } from '@ai-sdk/provider'
import { expect, it } from 'vitest'
import { chatMessages } from './chat-messages.ts'
import { UnsupportedFunctionalityError } from './sdk-errors.ts'

const result = (toolCallId: string, output: LanguageModelV3ToolResultOutput) =>
  ({ type: 'tool-result', toolCallId, toolName: 'look', output }) as const
const call = (toolCallId: string, input = {}) => ({ type: 'tool-call', toolCallId, toolName: 'look', input }) as const

it('reads every kind of message', () => {
  const prompt: LanguageModelV3Prompt = [
    { role: 'system', content: 'Be kind.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'One,' },
        { type: 'text', text: 'two.' },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'Hm.' },
        { type: 'text', text: 'I look.' },
        call('a', { at: 1 }),
        call('b'),
        result('b', { type: 'text', value: 'by the provider' }),
      ],
    },
    {
      role: 'tool',
      content: [
        result('a', { type: 'json', value: { seen: 2 } }),
        result('c', { type: 'error-text', value: 'dark' }),
        result('d', { type: 'error-json', value: ['dark'] }),
        result('e', { type: 'execution-denied' }),
        result('f', { type: 'execution-denied', reason: 'Not now.' }),
        result('g', {
          type: 'content',
          value: [
            { type: 'text', text: 'a ' },
            { type: 'text', text: 'b' },
          ],
        }),
        { type: 'tool-approval-response', approvalId: 'x', approved: true },
      ],
    },
  ]
  const called = (id: string, input = {}) => ({ id, type: 'function', function: { name: 'look', arguments: input } })
  const answer = (id: string, content: string) => ({ role: 'tool', tool_call_id: id, name: 'look', content })
  expect(chatMessages(prompt)).toEqual([
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'One,\ntwo.' },
    {
      role: 'assistant',
      content: 'I look.',
      reasoning_content: 'Hm.',
      tool_calls: [called('a', { at: 1 }), called('b')],
    },
    answer('b', 'by the provider'),
    answer('a', '{"seen":2}'),
    answer('c', 'dark'),
    answer('d', '["dark"]'),
    answer('e', 'Tool execution denied.'),
    answer('f', 'Not now.'),
    answer('g', 'a b'),
  ])
})

it('refuses what is no text', () => {
  const picture = { type: 'file', data: new Uint8Array([1]), mediaType: 'image/png' } as const
  expect(() => chatMessages([{ role: 'user', content: [picture] }])).toThrow(UnsupportedFunctionalityError)
  const seen = result('a', { type: 'content', value: [{ type: 'file-url', url: 'https://example.org/a.png' }] })
  expect(() => chatMessages([{ role: 'tool', content: [seen] }])).toThrow('got a part of type file-url')
})
