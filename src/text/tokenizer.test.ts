import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { startProcessorTime } from '../../test/processor-time.ts'
import { tinyTokenizer } from '../../test/tiny-model.ts'
import { TokenizerError } from '../errors.ts'
import { Tokenizer } from './tokenizer.ts'

// Made by scripts/goldens/text.py with Hugging Face's Rust tokenizers.
interface Golden {
  tokenizer: unknown
  cases: { text: string; ids: number[]; bare: number[]; plain: number[]; decoded: string }[]
}

const FIXTURES = new URL('../../test/fixtures/text/', import.meta.url)
const names = readdirSync(FIXTURES).flatMap((file) => /^tokenizer-(.*)\.json$/.exec(file)?.[1] ?? [])
const goldens = new Map(names.map((name) => [name, readGolden(name)]))
const isLong = process.env.ANNEAL_LONG === '1'
const runs = isLong ? 20_000 : 300
vi.setConfig({ testTimeout: isLong ? 1_200_000 : 60_000 })

function readGolden(name: string): Golden & { loaded: Tokenizer } {
  const golden = JSON.parse(readFileSync(new URL(`tokenizer-${name}.json`, FIXTURES), 'utf8')) as Golden
  return { ...golden, loaded: Tokenizer.fromJson(golden.tokenizer, { name }) }
}

function load(name: string): Tokenizer {
  return goldens.get(name)!.loaded
}

/** Spells ids, so that a failure can be read. */
function spell(tokenizer: Tokenizer, ids: ArrayLike<number>): string[] {
  return Array.from(ids, (id) => tokenizer.idToToken(id) ?? `#${id}`)
}

describe('Tokenizer', () => {
  it.each(names)('gives the ids of the Rust tokenizer (%s)', (name) => {
    const { cases, loaded } = goldens.get(name)!
    for (const { text, ids, bare } of cases) {
      expect(spell(loaded, loaded.encode(text, { allowSpecial: true })), text).toEqual(spell(loaded, ids))
      const options = { allowSpecial: true, addSpecialTokens: false }
      expect(spell(loaded, loaded.encode(text, options)), text).toEqual(spell(loaded, bare))
    }
  })

  it.each(names)('encodes control tokens in text as text, as the Rust tokenizer does on request (%s)', (name) => {
    const { cases, loaded } = goldens.get(name)!
    const control = new Set([...loaded.controlTokens].map((token) => loaded.tokenToId(token)))
    for (const { text, plain } of cases) {
      const ids = loaded.encode(text, { addSpecialTokens: false })
      expect(ids.some((id) => control.has(id))).toBe(false)
      // A Unigram model of Rust still finds `</s>` in its vocabulary; <|…|> without the special flag is control only here.
      if (!plain.some((id) => control.has(id))) expect(spell(loaded, ids), text).toEqual(spell(loaded, plain))
    }
  })

  it.each(names)('decodes as the Rust tokenizer (%s)', (name) => {
    const { cases, loaded } = goldens.get(name)!
    for (const { ids, decoded } of cases) expect(loaded.decode(ids)).toBe(decoded)
  })

  it.each(['gpt2', 'smollm', 'llama3', 'o200k', 'deepseek', 'falcon', 'llama2-legacy'])(
    'round-trips any text (%s)',
    (name) => {
      const tokenizer = load(name)
      const controls = fc.constantFrom(...tokenizer.controlTokens, 'x')
      const text = fc
        .array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), controls))
        .map((parts) => parts.join(''))
      fc.assert(
        fc.property(text, (value) => {
          // SentencePiece writes a space as `▁` and cannot tell them apart.
          const expected = name === 'llama2-legacy' ? value.replaceAll('▁', ' ') : value
          expect(tokenizer.decode(tokenizer.encode(value, { addSpecialTokens: false }))).toBe(expected)
        }),
        { numRuns: runs },
      )
    },
  )

  it('encodes a lone surrogate as U+FFFD', () => {
    const tokenizer = load('gpt2')
    expect(tokenizer.decode(tokenizer.encode('a\ud800b'))).toBe('a\ufffdb')
  })

  it('never gives a control id for text, wherever its parts come from', () => {
    for (const { loaded } of goldens.values()) {
      const control = new Set([...loaded.controlTokens].map((token) => loaded.tokenToId(token)))
      if (control.size === 0) continue
      const fragment = fc.constantFrom(
        ...[...loaded.controlTokens].flatMap((token) => [token, token.slice(0, 3), token.slice(3)]),
      )
      fc.assert(
        fc.property(fc.array(fc.oneof(fragment, fc.string())), (parts) => {
          const ids = loaded.encode(parts.join(''), { addSpecialTokens: false })
          expect(ids.some((id) => control.has(id))).toBe(false)
        }),
        { numRuns: Math.ceil(runs / 3) },
      )
    }
  })

  it('reads a control token only where the mask has it', () => {
    const tokenizer = load('qwen2')
    const end = tokenizer.tokenToId('<|im_end|>')!
    const { ids, cuts } = tokenizer.encodeMasked(
      'a<|im_end|>b<|im_end|>',
      'a\ue000|im_end|>b<|im_end|>',
      [0, 11, 12, 22],
    )
    expect(ids.filter((id) => id === end)).toHaveLength(1)
    expect(ids.at(-1)).toBe(end)
    expect([...cuts]).toEqual([0, ids.length - 2, ids.length - 1, ids.length])
    expect(() => tokenizer.encodeMasked('ab', 'a')).toThrow(TokenizerError)
  })
})

describe('Tokenizer.fit', () => {
  const json = structuredClone(tinyTokenizer().toJson())
  const count = tinyTokenizer().vocabSize
  const soft = { ...json.added_tokens[0]!, id: count, content: '<soft>', special: false }
  const grown = Tokenizer.fromJson({ ...json, added_tokens: [...json.added_tokens, soft] })

  // Expected: Hugging Face's tokenizers 0.22 on the same file.
  it.each([
    ['WordPiece', { unk_token: '[UNK]', vocab: { '[UNK]': 0, f: 1, '##o': 2, '##x': 3, fo: 4 } }, 'foox', [4, 2, 3]],
    ['WordPiece', { unk_token: '[UNK]', vocab: { '[UNK]': 0, f: 1, '##o': 2, '##x': 3, fo: 4 } }, 'foo', [5]],
    ['BPE', { ignore_merges: true, vocab: { f: 0, o: 1, x: 2, xx: 3, xxx: 4 }, merges: [] }, 'xxxfoo', [4, 0, 1, 1]],
    ['WordLevel', { unk_token: '<unk>', vocab: { '<unk>': 0, xxx: 1 } }, 'xxxfoo', [1, 0]],
  ])('looks words up among the tokens of the model alone (%s)', (type, model, text, ids) => {
    const tokenizer = Tokenizer.fromJson({
      added_tokens: [{ id: 5, content: 'foo', single_word: true, normalized: false, special: false }],
      pre_tokenizer: {
        type: 'Split',
        pattern: { Regex: type === 'WordPiece' ? '[a-z]+' : '[a-z]{3}' },
        behavior: 'Isolated',
        invert: false,
      },
      model: { type, ...model },
    })
    expect([...tokenizer.encode(text)]).toEqual(ids)
  })

  it('leaves added tokens beyond the rows out of texts, and everything else as it is', () => {
    const fitted = grown.fit(count)!
    expect([grown.beyond, fitted.beyond, grown.fit(count + 1)!.beyond]).toEqual([[], ['<soft>'], []])
    expect(fitted.encode('ab')).toEqual(grown.encode('ab'))
    expect(Array.from(grown.encode('<soft>'))).toContain(count)
    expect(() => fitted.encode('<soft>')).toThrow(`got "<soft>" (${count})`)
    expect(() => fitted.encodeMasked('<soft>', '<soft>')).toThrow(`got "<soft>" (${count})`)
    expect(fitted.fit(count)).toBe(fitted)
  })

  it('does not take one whose ordinary tokens, or start of text, are beyond', () => {
    expect(grown.fit(count - 1)).toBeUndefined() // the last byte
    const roles = { bos: '<soft>' }
    const starting = Tokenizer.fromJson({ ...json, added_tokens: [...json.added_tokens, soft] }, { roles })
    expect(starting.fit(count)).toBeUndefined()
  })
})

describe('Tokenizer.streamDecoder', () => {
  it.each(names)('gives the text of decode, piece by piece (%s)', (name) => {
    const tokenizer = load(name)
    const id = fc.integer({ min: -1, max: tokenizer.vocabSize + 1 })
    fc.assert(
      fc.property(fc.array(id), fc.boolean(), (ids, skipSpecialTokens) => {
        const stream = tokenizer.streamDecoder({ skipSpecialTokens })
        const pieces = [...ids.map((one) => stream.push(one)), stream.flush()]
        expect(pieces.join('')).toBe(tokenizer.decode(ids, { skipSpecialTokens }))
      }),
      { numRuns: runs },
    )
  })

  it('never shows half a character', () => {
    for (const name of ['gpt2', 'llama2-legacy', 'llama2-metaspace']) {
      const tokenizer = load(name)
      const stream = tokenizer.streamDecoder()
      const text = '🙂👩‍👩‍👧 日本語 né ﬁ'
      const pieces = [...tokenizer.encode(text, { addSpecialTokens: false })].map((id) => stream.push(id))
      expect(pieces.join('')).toBe(text)
      expect(pieces.length).toBeGreaterThan(20) // most are bytes of a character
      for (const piece of pieces) expect(piece.isWellFormed() && !piece.includes('\ufffd')).toBe(true)
    }
  })

  it('is as new after a flush', () => {
    const tokenizer = load('llama2-legacy')
    const stream = tokenizer.streamDecoder()
    for (let round = 0; round < 2; round++) {
      const pieces = [...tokenizer.encode('Hello', { addSpecialTokens: false })].map((id) => stream.push(id))
      expect(pieces.join('') + stream.flush()).toBe('Hello')
    }
  })
})

/** Processor time of an action in milliseconds. */
function processorTime(action: () => unknown): number {
  const spent = startProcessorTime()
  action()
  return spent()
}

describe('Tokenizer on long runs', () => {
  const runsOf = {
    letters: 'a',
    carets: '^',
    spaces: ' ',
    capitals: 'A',
    newlines: '\n',
    'spaces and newlines': ' \n',
    Chinese: '中文',
    marks: 'e\u0301',
  }
  const cases = [
    'gpt2',
    'qwen2',
    'o200k',
    'deepseek',
    'falcon',
    'llama2-legacy',
    'llama2-metaspace',
    'unigram',
    'wordpiece',
  ].flatMap((name) => Object.keys(runsOf).map((run) => [name, run as keyof typeof runsOf] as const))

  it.each(cases)('takes linear time (%s, %s)', (name, run) => {
    const tokenizer = load(name)
    const time = (length: number): number => {
      const text = runsOf[run].repeat(length / runsOf[run].length)
      return processorTime(() => tokenizer.encode(text))
    }
    time(1000)
    const best = (length: number): number => Math.min(time(length), time(length))
    // 16 times the text: 16 to 20 times the time if linear, 256 times if quadratic. The constant hides timer noise.
    expect(best(160_000)).toBeLessThan(64 * best(10_000) + 100)
  })

  it('takes linear time up to a million equal characters', () => {
    for (const name of ['gpt2', 'llama2-legacy']) {
      const tokenizer = load(name)
      const time = (length: number): number => processorTime(() => tokenizer.encode('^'.repeat(length)))
      time(1000)
      expect(time(1_000_000)).toBeLessThan(40 * time(100_000) + 200)
    }
  })
})

describe('Tokenizer files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-tokenizer-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  it('loads what it saved, with roles and template', async () => {
    const { tokenizer } = goldens.get('qwen2')!
    const saved = Tokenizer.fromJson(tokenizer, {
      roles: { eos: '<|im_end|>', pad: '<|endoftext|>' },
      chatTemplate: '{{ messages }}',
      config: { model_max_length: 4096, custom: 1 },
    })
    await saved.save(directory)
    const loaded = await Tokenizer.fromDirectory(directory)
    expect(loaded.toJson()).toEqual({ ...saved.toJson(), model: expect.anything() })
    expect([...loaded.encode("don't <|im_end|> ½")]).toEqual([...saved.encode("don't <|im_end|> ½")])
    expect(loaded.eosTokenId).toBe(saved.tokenToId('<|im_end|>'))
    expect(loaded.padTokenId).toBe(saved.tokenToId('<|endoftext|>'))
    expect(loaded.bosTokenId).toBeUndefined()
    expect(loaded.chatTemplate).toBe('{{ messages }}')
    const config = JSON.parse(readFileSync(join(directory, 'tokenizer_config.json'), 'utf8'))
    expect(config).toMatchObject({
      custom: 1,
      model_max_length: 4096,
      eos_token: '<|im_end|>',
      chat_template: '{{ messages }}',
    })
    const map = JSON.parse(readFileSync(join(directory, 'special_tokens_map.json'), 'utf8'))
    expect(map).toEqual({
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
      additional_special_tokens: ['<|im_start|>'],
    })
  })

  it('writes merges as strings, which old readers need', () => {
    const written = JSON.parse(readFileSync(join(directory, 'tokenizer.json'), 'utf8'))
    expect(written.model.merges[0]).toBe('Ġ t')
  })

  it('prefers chat_template.jinja and reads token objects', async () => {
    writeFileSync(join(directory, 'chat_template.jinja'), 'from the file')
    writeFileSync(
      join(directory, 'tokenizer_config.json'),
      '{"eos_token": {"content": "<|endoftext|>"}, "chat_template": "other", "added_tokens_decoder": {}}',
    )
    const loaded = await Tokenizer.fromDirectory(directory)
    expect(loaded.chatTemplate).toBe('from the file')
    expect(loaded.eosTokenId).toBe(loaded.tokenToId('<|endoftext|>'))
  })

  it('refuses a file of 200 MB without reading it', async () => {
    const large = mkdtempSync(join(directory, 'large-'))
    writeFileSync(join(large, 'tokenizer.json'), '{')
    truncateSync(join(large, 'tokenizer.json'), 200_000_000)
    await expect(Tokenizer.fromDirectory(large)).rejects.toThrow(
      /tokenizer\.json: expected at most 134217728 bytes, got 200000000/,
    )
  })

  it('saves another chat template than the one it came with', async () => {
    await load('gpt2').save(join(directory, 'other'), { chatTemplate: '{{ bos_token }}' })
    expect((await Tokenizer.fromDirectory(join(directory, 'other'))).chatTemplate).toBe('{{ bos_token }}')
  })

  it('says which file is missing or wrong', async () => {
    await expect(Tokenizer.fromDirectory(join(directory, 'nothing'))).rejects.toThrow(
      /cannot find .*nothing: expected a dir/,
    )
    mkdirSync(join(directory, 'empty'))
    await expect(Tokenizer.fromDirectory(join(directory, 'empty'))).rejects.toThrow(/no tokenizer in .*empty/)
    writeFileSync(join(directory, 'tokenizer_config.json'), '[')
    await expect(Tokenizer.fromDirectory(directory)).rejects.toThrow(/tokenizer_config\.json: expected JSON/)
  })
})
