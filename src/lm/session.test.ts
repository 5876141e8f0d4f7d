import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { fakeLm } from './fake-lm.ts'
import { collect, type GenerateOptions } from './lm.ts'
import { LmSession } from './session.ts'

const idsOf = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0)!)

describe('LmSession', () => {
  const make = () => {
    const lm = fakeLm({
      reply: (request) => (request.adapter === 'b' ? 'B!' : 'no. Never'),
      logProb: (ids, index) => -ids[index]! / 1000 - index,
      adapters: ['a', 'b'],
    })
    return { lm, session: new LmSession(lm, { prompt: 'Well' }) }
  }

  it('grows by what is appended and by what the model says, what ended it too', async () => {
    const { lm, session } = make()
    expect(session.append(', ')).toBe(4)
    const { text, stop } = await collect(session.generate({ stop: ['. '] }))
    expect([text, stop]).toEqual(['no', '. '])
    expect(lm.decode(session.ids)).toBe('Well, no. ')
    session.append([97])
    expect(session.length).toBe(11)
  })

  it('asks how probable a continuation would be, and appends nothing', async () => {
    const { session } = make()
    expect(await session.score('ab')).toEqual([-0.097 - 4, -0.098 - 5])
    expect(await session.score([])).toEqual([])
    expect(session.length).toBe(4)
    expect(await new LmSession(make().lm, { ids: [] }).score('ab')).toEqual([null, -0.098 - 1])
  })

  it('forks and takes back; what was read is not read again', async () => {
    const { session } = make()
    const before = session.length
    await collect(session.generate({ maxNewTokens: 3 }))
    const branch = session.fork()
    session.rollback(before)
    expect([session.length, branch.length]).toEqual([4, 7])
    const { usage } = await collect(branch.generate({ maxNewTokens: 1 }))
    expect(usage).toMatchObject({ promptTokens: 7, cachedTokens: 6 })
    // The branch's tokens are not the session's.
    expect(session.ids).toEqual(idsOf('Well'))
  })

  it('speaks with its adapter, and shares what was read with its salt only', async () => {
    const { lm } = make()
    const options = { adapter: 'b', cacheSalt: 'mine' }
    const session = new LmSession(lm, { prompt: 'x y' }, options)
    expect((await collect(session.generate())).text).toBe('B!')
    const cached = async (other: LmSession) => (await collect(other.generate())).usage.cachedTokens
    expect(await cached(new LmSession(lm, { prompt: 'x y' }, options))).toBe(2)
    expect(await cached(new LmSession(lm, { prompt: 'x y' }, { adapter: 'b' }))).toBe(0)
    expect(await cached(new LmSession(lm, { prompt: 'x y' }, { cacheSalt: 'mine' }))).toBe(0)
    await expect(new LmSession(lm, { prompt: 'x' }, { adapter: 'c' }).score('y')).rejects.toThrow(
      'expected one of a, b, got c',
    )
  })

  it('does one thing at a time, and is free again when the caller stops listening', async () => {
    const { session } = make()
    for await (const _ of session.generate()) {
      expect(() => session.append('x')).toThrow(UsageError)
      expect(() => session.rollback(0)).toThrow(UsageError)
      break
    }
    session.rollback(1)
    expect(session.ids).toEqual(idsOf('W'))
    for (const length of [-1, 2, 0.5])
      expect(() => session.rollback(length)).toThrow('length: expected a whole number from 0 to 1')
  })

  it('refuses ids that there are not when they are appended, and another adapter for one continuation', async () => {
    const { session } = make()
    for (const ids of [[0x110000], [-1], [1.5]]) {
      expect(() => session.append(ids)).toThrow(UsageError)
      await expect(session.score(ids)).rejects.toThrow(UsageError)
    }
    expect(session.length).toBe(4)
    await expect(collect(session.generate({ adapter: 'b' } as GenerateOptions))).rejects.toThrow(
      'adapter: expected it where the session is made',
    )
    expect(() => session.append('!')).not.toThrow() // it is idle again
  })
})
