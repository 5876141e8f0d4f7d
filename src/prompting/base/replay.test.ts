import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { guard } from '../execute/guard.ts'
import { rule } from '../execute/rule.ts'
import { localModel } from './local-model.ts'
import { modelOf } from './model.ts'
import { replay, replayLine } from './replay.ts'
import { dryRun, trace } from './trace.ts'

const lmOf = (reply: string, revision?: string) =>
  fakeLm({ reply: () => reply, adapters: ['a'], info: { name: 'demo', ...(revision !== undefined && { revision }) } })

describe('replay', () => {
  it('counts what is equal, and leaves out what cannot be made again', async () => {
    const lm = lmOf('One. Bad. More.', 'r1')
    const model = localModel(lm, { adapter: 'a' })
    const other = modelOf({
      name: 'service',
      holds: 'none',
      async *answer() {
        const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
        yield { deltas: [], tokenIds: [], finishReason: 'stop', usage }
      },
    })
    const traced = await trace(async () => {
      await model.ask('x', { topLogprobs: 1 })
      await guard(model, { output: [rule('no bad', (text) => !text.includes('Bad'))] }).ask('y')
      await model.logprobs('z', ['a', 'b'])
      await other.ask('x')
    })
    const found = await replay(traced, lm)
    expect(found).toEqual({ calls: 3, equal: 3, skipped: 1, isSameRevision: true })
    expect(replayLine(found)).toBe(
      '3 of 3 calls equal to the bit; 1 of services, held to what is not on record, or without an answer cannot be made again',
    )
  })
  it('tells the first difference', async () => {
    const traced = await trace(async () => {
      for (const text of ['x', 'y']) await localModel(lmOf('abcd')).ask(text)
    })
    const found = await replay(traced, lmOf('abXd'))
    expect(found).toMatchObject({
      equal: 0,
      isSameRevision: false,
      difference: { call: 0, of: 'answer', at: 2, recorded: 99, replayed: 88 },
    })
    expect(replayLine(found)).toMatch(/call 0 differs first, in answer at 2: 99 is recorded, 88 came/)
    expect((await replay(traced, lmOf('abc'))).difference).toMatchObject({ at: 3, recorded: 100, replayed: 0 })
    const scored = await trace(() => localModel(fakeLm()).logprobs('x', ['a', 'b']))
    const other = fakeLm({ logProb: (ids, i) => (ids[i] === 98 ? -2 : -1) })
    expect((await replay(scored, other)).difference).toMatchObject({
      of: 'logprobs',
      at: 1,
      recorded: -1,
      replayed: -2,
    })
  })
  it('refuses another version of the model, unless it is told to', async () => {
    const traced = await trace(() => localModel(lmOf('a', 'r1')).ask('x'))
    await expect(replay(traced, lmOf('a', 'r2'))).rejects.toThrow(/expected revision r1, .* got r2/)
    expect(await replay(traced, lmOf('a', 'r2'), { anyRevision: true })).toMatchObject({
      equal: 1,
      isSameRevision: false,
    })
    expect(await replay(traced, lmOf('a'))).toMatchObject({ equal: 1, isSameRevision: false })
  })
  it('refuses a dry run', async () => {
    await expect(replay(await dryRun(() => localModel(lmOf('a')).ask('x')), lmOf('a'))).rejects.toThrow(UsageError)
  })
})
