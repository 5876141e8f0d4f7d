import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ChatDelta, type ChatPiece, collectChat } from '../chat/answer.ts'
import { answerEvents, collectAnswer } from './answer-events.ts'
import type { AnswerEvent } from './specification.ts'

const usage = { promptTokens: 10, completionTokens: 7, cachedTokens: 4, reasoningTokens: 2 }

async function* pieces(deltas: readonly ChatDelta[], last: Partial<ChatPiece> = {}): AsyncGenerator<ChatPiece> {
  for (const delta of deltas) yield { deltas: [delta], tokenIds: [1] }
  yield { deltas: [], tokenIds: [2], finishReason: 'stop', usage, ...last }
}

const ANSWER: readonly ChatDelta[] = [
  { type: 'reasoning', text: 'Let me ' },
  { type: 'reasoning', text: 'see.' },
  { type: 'text', text: 'I look.' },
  { type: 'tool-call', index: 0, id: 'a', name: 'look' },
  { type: 'tool-arguments', index: 0, text: '{"at"' },
  { type: 'tool-arguments', index: 0, text: ':1}' },
  { type: 'tool-call', index: 1, id: 'b', name: 'wait' },
  { type: 'tool-arguments', index: 1, text: '{}' },
]

it('begins and ends blocks', async () => {
  const events: AnswerEvent[] = []
  for await (const event of answerEvents(pieces(ANSWER, { finishReason: 'tool_calls' }))) events.push(event)
  expect(events).toEqual([
    { type: 'reasoning-start', id: '0' },
    { type: 'reasoning-delta', id: '0', delta: 'Let me ' },
    { type: 'reasoning-delta', id: '0', delta: 'see.' },
    { type: 'reasoning-end', id: '0' },
    { type: 'text-start', id: '1' },
    { type: 'text-delta', id: '1', delta: 'I look.' },
    { type: 'text-end', id: '1' },
    { type: 'tool-input-start', id: 'a', toolName: 'look' },
    { type: 'tool-input-delta', id: 'a', delta: '{"at"' },
    { type: 'tool-input-delta', id: 'a', delta: ':1}' },
    { type: 'tool-input-end', id: 'a' },
    { type: 'tool-call', toolCallId: 'a', toolName: 'look', input: '{"at":1}' },
    { type: 'tool-input-start', id: 'b', toolName: 'wait' },
    { type: 'tool-input-delta', id: 'b', delta: '{}' },
    { type: 'tool-input-end', id: 'b' },
    { type: 'tool-call', toolCallId: 'b', toolName: 'wait', input: '{}' },
    {
      type: 'finish',
      finishReason: { unified: 'tool-calls', raw: 'tool_calls' },
      usage: {
        inputTokens: { total: 10, noCache: 6, cacheRead: 4, cacheWrite: undefined },
        outputTokens: { total: 7, text: 5, reasoning: 2 },
        raw: usage,
      },
      providerMetadata: { anneal: {} },
    },
  ])
})

it('folds to the whole answer', async () => {
  const { content, end } = await collectAnswer(
    answerEvents(pieces(ANSWER, { finishReason: 'length', limit: 'context' })),
  )
  expect(content).toEqual([
    { type: 'reasoning', text: 'Let me see.' },
    { type: 'text', text: 'I look.' },
    { type: 'tool-call', toolCallId: 'a', toolName: 'look', input: '{"at":1}' },
    { type: 'tool-call', toolCallId: 'b', toolName: 'wait', input: '{}' },
  ])
  expect([end.finishReason.unified, end.providerMetadata.anneal]).toEqual(['length', { limit: 'context' }])
})

it('says what the pieces say, however they are cut', async () => {
  const kinds = fc.constantFrom('text', 'reasoning', 'call')
  const drawn = fc.array(fc.tuple(kinds, fc.array(fc.string({ minLength: 1 }), { minLength: 1 })))
  await fc.assert(
    fc.asyncProperty(drawn, async (blocks) => {
      let calls = 0
      const deltas = blocks.flatMap(([type, texts]): ChatDelta[] => {
        if (type !== 'call') return texts.map((text) => ({ type: type as 'text' | 'reasoning', text }))
        const index = calls++
        const given = texts.map((text): ChatDelta => ({ type: 'tool-arguments', index, text }))
        return [{ type: 'tool-call', index, id: `call-${index}`, name: 'f' }, ...given]
      })
      const { content } = await collectAnswer(answerEvents(pieces(deltas)))
      const answer = await collectChat(pieces(deltas))
      const join = (wanted: string) =>
        content.map((part) => (part.type === wanted && 'text' in part ? part.text : '')).join('')
      expect([join('text'), join('reasoning')]).toEqual([answer.text, answer.reasoning])
      expect(content.flatMap((part) => (part.type === 'tool-call' ? [part.input] : []))).toEqual(
        answer.toolCalls.map((call) => call.arguments),
      )
    }),
  )
})

it('throws what an answer was aborted with', async () => {
  const signal = AbortSignal.abort(new Error('enough'))
  const answer = (options?: { signal: AbortSignal }) =>
    collectAnswer(answerEvents(pieces(ANSWER, { finishReason: 'aborted' }), options))
  await expect(answer({ signal })).rejects.toThrow('enough')
  await expect(answer()).rejects.toMatchObject({ name: 'AbortError' })
})
