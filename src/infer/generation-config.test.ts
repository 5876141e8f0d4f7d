import { describe, expect, it } from 'vitest'
import { InputError } from '../errors.ts'
import { parseGenerationConfig, readGenerationConfig } from './generation-config.ts'

const parse = (json: unknown) => parseGenerationConfig(json, 'generation_config.json')

describe('parseGenerationConfig', () => {
  it('reads what steers generation and leaves the rest alone', () => {
    const json = {
      bos_token_id: 1,
      do_sample: true,
      temperature: 0.6,
      top_p: 0.9,
      top_k: 50,
      min_p: null,
      repetition_penalty: 1.05,
      max_new_tokens: 2048,
      eos_token_id: [128001, 128009],
      stop_strings: '<end>',
      transformers_version: '5.18.0',
    }
    expect(parse(json)).toEqual({
      doSample: true,
      temperature: 0.6,
      topP: 0.9,
      topK: 50,
      repetitionPenalty: 1.05,
      maxNewTokens: 2048,
      eosTokenIds: [128001, 128009],
      stop: ['<end>'],
    })
  })

  it('names the keys that would change the text and are not followed, and no neutral one', () => {
    const json = {
      bad_words_ids: [[5], [6, 7]],
      forced_eos_token_id: 2,
      typical_p: 0.9,
      num_beams: 4,
      no_repeat_ngram_size: 3,
      min_new_tokens: 10,
      max_length: 4096,
    }
    expect(parse(json)).toEqual({
      unfollowed: [
        'bad_words_ids',
        'forced_eos_token_id 2',
        'typical_p 0.9',
        'num_beams 4',
        'no_repeat_ngram_size 3',
        'min_new_tokens 10',
        'max_length 4096',
      ],
    })
    const neutral = {
      bad_words_ids: null,
      begin_suppress_tokens: [],
      sequence_bias: {},
      typical_p: 1,
      num_beams: 1,
      no_repeat_ngram_size: 0,
      max_length: 20,
      use_cache: true,
      length_penalty: 2,
      constructor: 1,
    }
    expect(parse(neutral)).toEqual({})
    expect(parse({ max_length: 4096, max_new_tokens: 7 })).toEqual({ maxNewTokens: 7 })
  })

  it('reads the tokens that are never chosen', () => {
    expect(parse({ suppress_tokens: [3, -1, 5] })).toEqual({ suppressTokens: [3, 5] })
    expect(parse({ suppress_tokens: [] })).toEqual({})
  })

  it('takes one end token as well as a list', () => {
    expect(parse({ eos_token_id: 2 }).eosTokenIds).toEqual([2])
    expect(parse({ eos_token_id: -1 }).eosTokenIds).toEqual([])
  })

  it("reads vLLM's -1 for all tokens as 0", () => {
    expect(parse({ top_k: -1 }).topK).toBe(0)
    expect(() => parse({ top_k: -2 })).toThrow(/top_k/)
  })

  it.each([
    [[], 'expected a JSON object'],
    [null, 'expected a JSON object'],
    [{ temperature: '0.6' }, 'temperature: expected a number ≥ 0, got "0.6"'],
    [{ temperature: -1 }, 'temperature'],
    [{ top_p: 1.5 }, 'top_p'],
    [{ top_k: 2.5 }, 'top_k'],
    [{ do_sample: 1 }, 'do_sample'],
    [{ eos_token_id: [1, 'x'] }, 'eos_token_id'],
    [{ eos_token_id: -2 }, 'eos_token_id'],
    [{ max_new_tokens: 0 }, 'max_new_tokens'],
    [{ stop_strings: [''] }, 'stop_strings'],
    [{ suppress_tokens: 3 }, 'suppress_tokens: expected a list of token ids'],
  ])('refuses %j', (json, message) => {
    expect(() => parse(json)).toThrow(InputError)
    expect(() => parse(json)).toThrow(message)
  })
})

describe('readGenerationConfig', () => {
  it('is empty for a directory without the file', () => {
    expect(readGenerationConfig('/nonexistent/none')).toEqual({})
  })
})
