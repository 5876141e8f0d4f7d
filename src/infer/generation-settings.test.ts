import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { generationSettings } from './generation-settings.ts'

describe('generationSettings', () => {
  it('is greedy where nobody says otherwise', () => {
    const settings = generationSettings({ seed: 3 })
    expect(settings).toEqual({
      temperature: 0,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      seed: 3,
      maxNewTokens: 256,
      stop: [],
      stopTokenIds: [],
      suppressTokens: [],
    })
  })

  it('takes the model’s settings if it samples', () => {
    const config = { doSample: true, temperature: 0.6, topP: 0.9, topK: 20, maxNewTokens: 7 }
    expect(generationSettings({}, config)).toMatchObject({ temperature: 0.6, topP: 0.9, topK: 20, maxNewTokens: 7 })
    expect(generationSettings({}, { doSample: true }).temperature).toBe(1)
    expect(generationSettings({}, { temperature: 0.6 }).temperature).toBe(0)
    expect(generationSettings({}, { doSample: false, temperature: 0.6 }).temperature).toBe(0)
  })

  it('lets the request win', () => {
    const config = { doSample: true, temperature: 0.6, topP: 0.9, repetitionPenalty: 1.1 }
    const request = { temperature: 0, topP: 0.5, repetitionPenalty: 1 }
    expect(generationSettings(request, config)).toMatchObject({ temperature: 0, topP: 0.5, repetitionPenalty: 1 })
  })

  it.each([{ topK: 5 }, { topP: 0.9 }, { minP: 0.1 }])('samples at 1 where only %j is given', (options) => {
    expect(generationSettings(options).temperature).toBe(1)
  })

  it('adds the request’s stop strings to the model’s', () => {
    expect(generationSettings({ stop: ['b'] }, { stop: ['a'] }).stop).toEqual(['a', 'b'])
  })

  it('takes another seed each time', () => {
    expect(generationSettings({}).seed).not.toBe(generationSettings({}).seed)
  })

  it.each([
    [{ temperature: -1 }, 'temperature: expected a number ≥ 0, got -1'],
    [{ temperature: Number.NaN }, 'temperature'],
    [{ temperature: Number.POSITIVE_INFINITY }, 'temperature'],
    [{ topK: 1.5 }, 'top_k'],
    [{ topP: 0 }, 'top_p'],
    [{ topP: 1.1 }, 'top_p'],
    [{ minP: -0.1 }, 'min_p'],
    [{ repetitionPenalty: 0 }, 'repetition_penalty'],
    [{ seed: -1 }, 'seed'],
    [{ seed: 2 ** 53 }, 'seed'],
    [{ maxNewTokens: 0 }, 'max_new_tokens'],
    [{ stop: [''] }, 'stop'],
    [{ stop: ['\ud800'] }, 'stop'],
  ])('refuses %j', (options, message) => {
    expect(() => generationSettings(options)).toThrow(UsageError)
    expect(() => generationSettings(options)).toThrow(message)
  })
})
