import { describe, expect, it } from 'vitest'
import { UsageError } from '../../errors.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { pack } from '../data/pack.ts'
import { connect } from './connect.ts'
import { localModel } from './local-model.ts'
import { estimatedTokens, tokenMeasure } from './token-measure.ts'

describe('tokenMeasure', () => {
  it('is exact for a model in this process, and what fits is answered', async () => {
    const lm = fakeLm({ contextLength: 300, reply: () => 'ok' })
    const model = localModel(lm)
    const tokens = tokenMeasure(model)
    expect(tokens.isEstimate).toBe(false)
    expect(tokens('bønne 😀')).toBe(lm.encode({ prompt: 'bønne 😀', addSpecialTokens: false }).length)
    const size = tokens.room(20, [{ role: 'system', content: 'Be brief.' }])
    const { prompt } = pack([{ text: 'word '.repeat(200), cut: 'end' }], { size, measure: tokens })
    await expect(model.ask(prompt, { system: 'Be brief.', maxTokens: 20 })).resolves.toBe('ok')
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: String(prompt) },
    ]
    const { ids } = model.read!({ messages })
    expect(ids!.length).toBeLessThanOrEqual(280)
    expect(ids!.length).toBeGreaterThan(260)
    expect(() => tokens.room(300)).toThrow(UsageError)
  })
  it('is an estimate for a service, which says so and knows no context', () => {
    const tokens = tokenMeasure(connect('http://127.0.0.1:9/v1', { model: 'm' }))
    expect(tokens.isEstimate).toBe(true)
    expect(tokens('Hello there')).toBe(estimatedTokens('Hello there'))
    expect(() => tokens.room(10)).toThrow(/^m: expected a model that tells its context/)
  })
  it('counts by kinds of characters', () => {
    // Words of five letters or fewer are one, digits one each, signs 0.9, a space in between 0.05.
    expect(estimatedTokens('the cat')).toBe(3)
    expect(estimatedTokens('12345')).toBe(5)
    expect(estimatedTokens('')).toBe(0)
    expect(estimatedTokens('天青色等')).toBe(5)
    expect(estimatedTokens('привет')).toBe(3)
  })
})
