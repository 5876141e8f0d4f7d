import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../../errors.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { framedPair } from './framed-pair.ts'

const fixtures = new URL('../../../test/fixtures/', import.meta.url)
const read = (name: string) => JSON.parse(readFileSync(new URL(name, fixtures), 'utf8'))
// Made by scripts/goldens/pairs.py with tokenizers.
const { texts, cases } = read('text-pairs.json') as {
  texts: [string, string][]
  cases: { tokenizer: string; post_processor: object | null; length: number; pairs: [number[], number[]][] }[]
}
const tokenizerOf = (name: string, processor: object | null): Tokenizer => {
  const { tokenizer } = read(`text/tokenizer-${name}.json`)
  return Tokenizer.fromJson(processor === null ? tokenizer : { ...tokenizer, post_processor: processor })
}

describe('framedPair', () => {
  it('gives the ids and segments of the Rust tokenizer, whole and cut', () => {
    expect(cases.length).toBeGreaterThan(20)
    for (const { tokenizer: name, post_processor, length, pairs } of cases) {
      const tokenizer = tokenizerOf(name, post_processor)
      for (const [i, [ids, types]] of pairs.entries()) {
        const found = framedPair(tokenizer, texts[i]!, length)
        expect([[...found.ids], [...found.types]], `${name} ${length} ${i}`).toEqual([ids, types])
        expect(found.length >= found.ids.length).toBe(true)
      }
    }
  })

  it('refuses a frame that does not have both texts, once it is asked for', () => {
    const tokenizer = tokenizerOf('wordpiece', {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }],
      special_tokens: {},
    })
    expect(tokenizer.encode('the')).toHaveLength(1)
    expect(() => framedPair(tokenizer, ['a', 'b'], 9)).toThrow(TokenizerError)
  })
})
