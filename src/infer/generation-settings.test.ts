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
      presencePenalty: 0,
      frequencyPenalty: 0,
      logitBias: new Map(),
      seed: 3,
      maxNewTokens: 256,
      minTokens: 0,
      stop: [],
      stopTokenIds: [],
      ignoreEos: false,
      skipSpecialTokens: true,
      suppressTokens: [],
      logprobs: false,
      promptLogprobs: false,
      topLogprobs: 0,
      adapter: null,
      promptLookup: 0,
      cacheSalt: '',
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

  it('tells log-probabilities where any are asked for', () => {
    expect(generationSettings({ topLogprobs: 0 })).toMatchObject({ logprobs: true, topLogprobs: 0 })
    expect(generationSettings({ logprobTokenIds: [5] })).toMatchObject({ logprobs: true, logprobTokenIds: [5] })
    expect(generationSettings({ logprobs: false, topLogprobs: 3 }).logprobs).toBe(false)
  })

  it('takes a bias as a map or as an object', () => {
    const bias = new Map([[7, -100]])
    expect(generationSettings({ logitBias: bias }).logitBias).toEqual(bias)
    expect(generationSettings({ logitBias: { 7: -100 } }).logitBias).toEqual(bias)
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
    [{ temperature: '0.5' as never }, "temperature: expected a number ≥ 0, got '0.5'"],
    [{ minP: -0.1 }, 'min_p'],
    [{ repetitionPenalty: 0 }, 'repetition_penalty'],
    [{ seed: -1 }, 'seed'],
    [{ seed: 2 ** 53 }, 'seed'],
    [{ maxNewTokens: 0 }, 'max_new_tokens'],
    [{ presencePenalty: 2.1 }, 'presence_penalty: expected a number from −2 to 2, got 2.1'],
    [{ frequencyPenalty: Number.NaN }, 'frequency_penalty'],
    [{ logitBias: { 5: 101 } }, 'logit_bias: 5: expected a number from −100 to 100, got 101'],
    [{ logitBias: { 320: 1 } }, 'logit_bias: expected token ids from 0 to 319, got 320'],
    [{ logitBias: { '-1': 1 } }, 'logit_bias'],
    [{ logitBias: { ' 5': 1 } }, 'logit_bias'],
    [{ mask: new Uint32Array(10) as never }, 'mask: expected a function, got object'],
    [{ topLogprobs: -1 }, 'top_logprobs: expected a whole number from 0 to 320, got -1'],
    [{ topLogprobs: 321 }, 'top_logprobs'],
    [{ logprobTokenIds: [3, 320] }, 'logprob_token_ids: expected token ids from 0 to 319, got 320'],
    [{ stopTokenIds: [0.5] }, 'stop_token_ids'],
    [{ minTokens: 9, maxNewTokens: 8 }, 'min_tokens: expected a whole number from 0 to max_new_tokens (8), got 9'],
    [{ promptLookup: 65 }, 'prompt_lookup: expected a whole number from 0 to 64, got 65'],
    [{ stop: [''] }, 'stop'],
    [{ stop: ['\ud800'] }, 'stop'],
  ])('refuses %j', (options, message) => {
    expect(() => generationSettings(options, {}, 320)).toThrow(UsageError)
    expect(() => generationSettings(options, {}, 320)).toThrow(message)
  })
})
