// Made by scripts/goldens/side_files.py with Transformers' fast tokenizers.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../errors.ts'
import type { TokenizerJson } from './stages/tokenizer-json.ts'
import { Tokenizer } from './tokenizer.ts'

interface Case {
  files: Record<string, Record<string, unknown>>
  /** id, content, single_word, lstrip, rstrip, normalized, special. */
  added: (string | number)[][]
  roles: Record<string, string>
  ids: number[]
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../test/fixtures/text/${name}`, import.meta.url), 'utf8'))
const golden = read('side-files.json') as {
  base: string
  text: string
  cases: Case[]
  prefix: { config: Record<string, unknown>; stored: boolean; ids: number[] }[]
}
const base = (read(golden.base) as { tokenizer: TokenizerJson }).tokenizer
const SIZE = Object.keys(base.model.vocab as object).length

const load = (files: Case['files'], json: unknown = base): Tokenizer =>
  Tokenizer.fromJson(json, {
    ...(files['tokenizer_config.json'] && { config: files['tokenizer_config.json'] }),
    ...(files['special_tokens_map.json'] && { specialTokensMap: files['special_tokens_map.json'] }),
    ...(files['added_tokens.json'] && { addedTokens: files['added_tokens.json'] }),
  })

const encode = (tokenizer: Tokenizer): number[] => [
  ...tokenizer.encode(golden.text, { allowSpecial: true, addSpecialTokens: false }),
]

describe('the files beside tokenizer.json', () => {
  it.each(golden.cases.map((one, index) => [index, one] as const))(
    'give the tokens that Transformers adds (%i)',
    (_, { files, added, roles, ids }) => {
      const tokenizer = load(files)
      const spelled = tokenizer
        .toJson()
        .added_tokens.map(({ id, content, single_word, lstrip, rstrip, normalized, special }) => [
          id,
          content,
          ...[single_word, lstrip, rstrip, normalized, special].map(Number),
        ])
      expect(spelled).toEqual(added)
      const own = Object.entries({ bos: 'bos', eos: 'eos', pad: 'pad', unk: 'unk' } as const).flatMap(
        ([role, name]) => {
          const id = tokenizer.roleId(name)
          return id === undefined ? [] : [[role, tokenizer.idToToken(id)]]
        },
      )
      expect(Object.fromEntries(own)).toEqual(roles)
      // The one deliberate difference: a special token that is also a piece of ordinary words is made of none here.
      const isOrdinary = added.every(([id, , , , , , special]) => special === 0 || (id as number) >= SIZE)
      if (isOrdinary) expect(encode(tokenizer)).toEqual(ids)
      expect(new Set(tokenizer.sideTokens)).toEqual(
        new Set(added.map(([, content]) => content).filter((content) => content !== '<|endoftext|>')),
      )
    },
  )

  it.each(golden.prefix)('decide for the GPT-2 class whether a space comes first (%j)', ({ config, stored, ids }) => {
    const json = { ...base, pre_tokenizer: { ...base.pre_tokenizer, add_prefix_space: stored } }
    expect(encode(load({ 'tokenizer_config.json': config }, json))).toEqual(ids)
  })

  it.each<[string, Case['files']]>([
    ['a token without content', { 'tokenizer_config.json': { added_tokens_decoder: { 500: { special: true } } } }],
    ['an id that is none', { 'tokenizer_config.json': { added_tokens_decoder: { '5e9': { content: '<x>' } } } }],
    ['a number for a token', { 'tokenizer_config.json': { eos_token: 5 } }],
    ['a number among others', { 'special_tokens_map.json': { extra_special_tokens: [3] } }],
    ['a text for an id', { 'added_tokens.json': { '<x>': '<y>' } }],
  ])('are refused with %s', (_, files) => {
    expect(() => load(files)).toThrow(TokenizerError)
    expect(() => load(files)).toThrow(/wrong token beside tokenizer\.json: .* expected .*, got /)
  })
})
