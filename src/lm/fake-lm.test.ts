import { describe, expect, it } from 'vitest'
import { fakeLm } from './fake-lm.ts'
import { collect } from './lm.ts'

describe('fakeLm', () => {
  const lm = fakeLm({ reply: () => 'a😀b. Then' })

  it('says its reply, one character per token, and ends with token 0', async () => {
    expect(await collect(lm.generate({ prompt: 'hi' }))).toEqual({
      text: 'a😀b. Then',
      tokenIds: [...Array.from('a😀b. Then', (character) => character.codePointAt(0)), 0],
      finishReason: 'stop',
      usage: { promptTokens: 2, completionTokens: 10, cachedTokens: 0 },
    })
  })

  it('honours limits, stop strings and signals', async () => {
    const [short, stopped] = await lm.generateAll([
      { prompt: '', maxNewTokens: 2 },
      { prompt: '', stop: ['. T'] },
    ])
    expect([short!.text, short!.finishReason]).toEqual(['a😀', 'length'])
    expect([stopped!.text, stopped!.finishReason]).toEqual(['a😀b', 'stop'])
    const aborted = await collect(lm.generate({ prompt: '', signal: AbortSignal.abort() }))
    expect([aborted.text, aborted.finishReason]).toEqual(['a', 'aborted'])
  })

  it('scores as it is told', async () => {
    const scoring = fakeLm({ logProb: (ids, index) => -ids[index]! })
    expect(await scoring.score([[5, 6, 7], [1]])).toEqual([[null, -6, -7], [null]])
  })

  it('says messages back', async () => {
    const { text } = await collect(fakeLm().generate({ messages: [{ role: 'user', content: 'hi' }] }))
    expect(text).toBe('user: hi\n')
  })
})
