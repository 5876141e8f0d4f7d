// tokenizer.json files from strangers: each is refused with one TokenizerError (or UnsupportedError), and none crashes,
// hangs or allocates much.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { InputError } from '../../errors.ts'
import { Tokenizer } from '../tokenizer.ts'

const isLong = process.env.ANNEAL_LONG === '1'
vi.setConfig({ testTimeout: isLong ? 1_200_000 : 60_000 })

interface Json {
  [key: string]: unknown
}

function tiny(change: (json: Json, model: Json) => void = () => {}): Json {
  const json: Json = {
    added_tokens: [{ id: 4, content: '<s>', special: true }],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: 'BPE', unk_token: null, vocab: { a: 0, b: 1, ab: 2, c: 3 }, merges: ['a b'] },
  }
  change(json, json.model as Json)
  return json
}

const read = (json: unknown): Tokenizer => Tokenizer.fromFiles({ tokenizer: JSON.stringify(json), name: 'bad.json' })

const REFUSED: [string, Json, RegExp][] = [
  [
    'a merge of unknown tokens',
    tiny((_, model) => (model.merges = ['a x'])),
    /model\.merges\[0\]: expected two tokens/,
  ],
  ['a merge without result', tiny((_, model) => (model.merges = ['b c'])), /model\.merges\[0\]/],
  ['a merge longer than any token', tiny((_, model) => (model.merges = ['abcabc abc'])), /model\.merges\[0\]/],
  ['a merge of three', tiny((_, model) => (model.merges = ['a b c'])), /model\.merges\[0\]/],
  ['a merge of numbers', tiny((_, model) => (model.merges = [[1, 2]])), /model\.merges\[0\]/],
  ['merges that are no list', tiny((_, model) => (model.merges = 7)), /model\.merges/],
  [
    'an id of four billion',
    tiny((_, model) => (model.vocab = { a: 4_000_000_000 })),
    /id below 2000000, got 4000000000/,
  ],
  ['a negative id', tiny((_, model) => (model.vocab = { a: -1 })), /id below/],
  ['a broken id', tiny((_, model) => (model.vocab = { a: 0.5 })), /id below/],
  ['a text as id', tiny((_, model) => (model.vocab = { a: '0' })), /id below/],
  ['ids with a large gap', tiny((_, model) => (model.vocab = { a: 0, b: 1_999_999 })), /without large gaps/],
  ['two tokens with one id', tiny((_, model) => (model.vocab = { a: 0, b: 0, ab: 1, c: 2 })), /one token with id 0/],
  [
    'an added token with a taken id',
    tiny((json) => (json.added_tokens = [{ id: 0, content: 'x' }])),
    /one token with id 0/,
  ],
  [
    'an added token with another id',
    tiny((json) => (json.added_tokens = [{ id: 9, content: 'a' }])),
    /expected 0, which/,
  ],
  [
    'an added token with a huge id',
    tiny((json) => (json.added_tokens = [{ id: 4e9, content: 'x' }])),
    /added_tokens\[0\]\.id/,
  ],
  ['a long added token', tiny((json) => (json.added_tokens = [{ id: 4, content: 'x'.repeat(300) }])), /up to 256/],
  ['an added token that is null', tiny((json) => (json.added_tokens = [null])), /added_tokens\[0\]/],
  [
    'too many added tokens',
    tiny((json) => (json.added_tokens = Array.from({ length: 10_001 }, (_, i) => ({ id: i + 4, content: `<${i}>` })))),
    /up to 10000/,
  ],
  ['an empty vocabulary', tiny((_, model) => (model.vocab = {})), /1 to 2000000 tokens/],
  ['no vocabulary', tiny((_, model) => (model.vocab = null)), /model\.vocab/],
  ['no model', tiny((json) => (json.model = null)), /object with a "model"/],
  ['an unknown model', tiny((_, model) => (model.type = 'Magic')), /model\.type/],
  ['dropout', tiny((_, model) => (model.dropout = 0.1)), /model\.dropout/],
  ['an unknown token that is none', tiny((_, model) => (model.unk_token = 'q')), /model\.unk_token/],
  [
    'an exponential pattern',
    tiny((json) => (json.pre_tokenizer = { type: 'Split', pattern: { Regex: '(a+)+' }, behavior: 'Isolated' })),
    /linear time/,
  ],
  [
    'an exponential replacement',
    tiny((json) => (json.normalizer = { type: 'Replace', pattern: { Regex: '(a+)+b' }, content: '' })),
    /linear time/,
  ],
  ['an unknown stage', tiny((json) => (json.pre_tokenizer = { type: 'constructor' })), /unknown pre-tokenizer/],
  [
    'an unknown behavior',
    tiny((json) => (json.pre_tokenizer = { type: 'Split', pattern: { String: 'a' }, behavior: '__proto__' })),
    /unknown behavior/,
  ],
  ['a stage without type', tiny((json) => (json.decoder = {})), /decoder: expected null or an object with a "type"/],
  ['stages nested deeply', tiny((json) => (json.normalizer = nested(12))), /nested up to/],
  [
    'a frame with an unknown id',
    tiny((json) => (json.post_processor = { type: 'BertProcessing', cls: ['a', 99], sep: ['a', 0] })),
    /expected an id below 5, got 99/,
  ],
  [
    'a frame without text',
    tiny((json) => (json.post_processor = { type: 'TemplateProcessing', single: [] })),
    /post_processor\.single/,
  ],
  [
    'a frame of an unknown token',
    tiny(
      (json) => (json.post_processor = { type: 'TemplateProcessing', single: [{ SpecialToken: { id: 'toString' } }] }),
    ),
    /special_tokens/,
  ],
  [
    'a damaged charsmap',
    tiny((json) => (json.normalizer = { type: 'Precompiled', precompiled_charsmap: '////////' })),
    /charsmap/,
  ],
  [
    'a Unigram without unknown token',
    tiny((json) => (json.model = { type: 'Unigram', vocab: [['a', 0]], unk_id: 7 })),
    /unk_id/,
  ],
  [
    'a Unigram with a score that is none',
    tiny((json) => (json.model = { type: 'Unigram', vocab: [['a', null]], unk_id: 0 })),
    /model\.vocab\[0\]/,
  ],
  [
    'a WordPiece with an endless word',
    tiny((json) => (json.model = { type: 'WordPiece', vocab: { '[UNK]': 0 }, max_input_chars_per_word: 1e9 })),
    /max_input_chars/,
  ],
]

function nested(depth: number): Json {
  return depth === 0 ? { type: 'NFC' } : { type: 'Sequence', normalizers: [nested(depth - 1)] }
}

describe('a hostile tokenizer.json', () => {
  it.each(REFUSED)('is refused: %s', (_name, json, message) => {
    expect(() => read(json)).toThrow(InputError)
    expect(() => read(json)).toThrow(message)
    expect(() => read(json)).toThrow(/^[^\n]*bad\.json[^\n]*: expected [^\n]+\. [A-Z][^\n]+$/)
  })

  it('is refused when it nests a million levels deep', () => {
    const deep = `{"model": ${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`
    expect(() => Tokenizer.fromFiles({ tokenizer: deep })).toThrow(/64 levels of nesting, got 1000001/)
  })

  it('is refused when it is no JSON', () => {
    for (const tokenizer of ['', '{', 'null', '[]', '"x"', '{"model": {}', '\u0000']) {
      expect(() => Tokenizer.fromFiles({ tokenizer })).toThrow(InputError)
    }
  })

  it('is refused when it is too large, before it is parsed', () => {
    expect(() => Tokenizer.fromFiles({ tokenizer: ' '.repeat(134_217_729) })).toThrow(/at most 134217728 characters/)
  })

  it('may have tokens with the names of object members', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const entries = names.map((name, id) => `${JSON.stringify(name)}: ${id}`).join(', ')
    const tokenizer = Tokenizer.fromFiles({
      tokenizer: `{"pre_tokenizer": null, "model": {"type": "WordPiece", "unk_token": "toString", "vocab": {${entries}}}}`,
    })
    expect(names.map((name) => tokenizer.tokenToId(name))).toEqual([0, 1, 2, 3])
    expect([...tokenizer.encode('constructor')]).toEqual([1])
    expect(tokenizer.tokenToId('valueOf')).toBeUndefined()
  })

  it('cannot make a merge that spells a control token', () => {
    const json = tiny((file, model) => {
      file.added_tokens = [{ id: 2, content: 'ab', special: true }]
      model.ignore_merges = true
    })
    expect([...read(json).encode('ab')]).toEqual([0, 1])
    expect([...read(json).encode('ab', { allowSpecial: true })]).toEqual([2])
  })
})

describe('any mutation of a tokenizer.json', () => {
  const files = ['gpt2', 'llama2-legacy', 'unigram', 'wordpiece', 'falcon', 'deepseek']
  const originals = files.map((name) => {
    const url = new URL(`../../../test/fixtures/text/tokenizer-${name}.json`, import.meta.url)
    return (JSON.parse(readFileSync(url, 'utf8')) as { tokenizer: Json }).tokenizer
  })
  const junk = fc.oneof(
    fc.constantFrom(null, true, 0, -1, 1e300, 4e9, '', 'a', '__proto__', [], {}, [[]], [null], { type: 'Sequence' }),
    fc.jsonValue({ maxDepth: 2 }),
  )

  it('loads or is refused with one error, and what loads encodes and decodes', () => {
    fc.assert(
      fc.property(
        fc.nat(files.length - 1),
        fc.array(fc.tuple(fc.array(fc.nat(7), { minLength: 1, maxLength: 6 }), junk), { maxLength: 3 }),
        (file, changes) => {
          const json = structuredClone(originals[file]!)
          for (const [path, value] of changes) mutate(json, path, structuredClone(value))
          let tokenizer: Tokenizer
          try {
            tokenizer = Tokenizer.fromJson(json)
          } catch (error) {
            expect(error).toBeInstanceOf(InputError)
            return
          }
          const ids = tokenizer.encode("The king <s>🙂\n don't </s>")
          expect(ids.every((id) => id >= 0 && id < tokenizer.vocabSize)).toBe(true)
          expect(typeof tokenizer.decode(ids)).toBe('string')
        },
      ),
      { numRuns: isLong ? 50_000 : 400 },
    )
  })

  /** Follows `path`, each step the nth key, and puts `value` at its end. */
  function mutate(json: Json, path: readonly number[], value: unknown): void {
    let node: Json = json
    for (const [index, step] of path.entries()) {
      const keys = Object.keys(node)
      const key = keys[step % Math.max(1, keys.length)]
      if (key === undefined) return
      const next = node[key]
      if (index === path.length - 1 || typeof next !== 'object' || next === null) {
        node[key] = value
        return
      }
      node = next as Json
    }
  }
})
