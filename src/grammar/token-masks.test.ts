// Masks against a reading that knows no trie and keeps nothing: a token may come where its bytes may.
import { describe, expect, it } from 'vitest'
import { PythonRandom } from '../eval/python-random.ts'
import { Automaton, DEAD } from './automaton.ts'
import { controlBytes } from './control-bytes.ts'
import { compileGrammar, partsOf, type Structure } from './grammar.ts'
import { GrammarMasks } from './grammar-mask.ts'
import { TokenTrie } from './token-trie.ts'

const encoder = new TextEncoder()
const WORDS = [
  '{"', '":', '": ', '",', '", "', 'true', 'null', 'the', ' the', '"name"', '{"name', 'me":', '12', '00', '.5', '}}', '"}', '\\u', '\\n', 'é', '日本', ' "', '[{', '}]', 'a"', '": "', 'id', 'abcdefgh', 'yes', 'no', ' or ', 'e\u0301', '\ud83d\ude00!', '"]', '", "a', 'x"}, {"',
] // biome-ignore format: a list
const texts = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...WORDS.map((word) => encoder.encode(word)),
  // Halves of characters, as tokenizers of bytes have them.
  Uint8Array.of(0xe6, 0x97),
  Uint8Array.of(0xa5, 0x22),
  // Control tokens, of which one's name is a text like others.
  controlBytes('[CALL]'),
  controlBytes('the'),
  controlBytes('</s>'),
]
const END = texts.length - 1
const CALL = texts.length - 3
const trie = new TokenTrie(texts)
const isControl = (id: number): boolean => id >= CALL && id !== END

const hasToken = (bits: Uint32Array, id: number): boolean => ((bits[id >>> 5]! >>> (id & 31)) & 1) === 1
const pick = (random: PythonRandom, ids: readonly number[]): number => ids[random.below(ids.length)]!

const STRUCTURES: readonly Structure[] = [
  { json_schema: true },
  {
    json_schema: {
      type: 'object',
      properties: { name: { type: 'string' }, n: { type: 'integer', minimum: 3 } },
      required: ['n'],
    },
  },
  { json_schema: { type: 'array', items: { type: 'string', minLength: 2, maxLength: 4 }, minItems: 1 } },
  {
    json_schema: { type: 'object', properties: { a: { type: 'null' } }, additionalProperties: { type: 'boolean' } },
    whitespace: 'any',
  },
  { json_schema: { type: 'string', pattern: '^a[^"]*"\\\\$' } },
  { json_schema: { $defs: { t: { type: 'array', items: { $ref: '#/$defs/t' } } }, $ref: '#/$defs/t' } },
  { regex: '(the|[^a-y]){1,3}\\d' },
  { choice: ['yes', 'yes or no', 'no', 'é'] },
  { grammar: 'root ::= ("(" root ")" | [^()"] | "the ")*' },
  {
    sequence: [
      { until: '": "' },
      { text: '": "' },
      { any_of: [{ text: 'the' }, { repeat: { text: 'id' }, min: 1, max: 2 }] },
    ],
  },
  { until: [] },
  { until: ['the', 'id'], unlike: ['y', 'no'] },
  { sequence: [{ until: '"', min: 2, max: 5 }, { text: '"' }] },
  {
    sequence: [
      { until: '[CALL]' },
      { repeat: { sequence: [{ token: '[CALL]' }, { json_schema: { type: 'integer' } }, { until: '[CALL]' }] } },
    ],
  },
  { sequence: [{ token: 'the' }, { text: 'the' }, { token: '[CALL]' }, { choice: ['yes', 'no'] }] },
]

describe.each(STRUCTURES.map((structure) => [JSON.stringify(structure).slice(0, 70), structure] as const))(
  'masks of %s',
  (_, structure) => {
    const grammar = compileGrammar(structure)
    const masks = new GrammarMasks(grammar, trie, { endTokenIds: [END] })
    const { expressions, root } = partsOf(grammar)
    const automaton = new Automaton(expressions)

    it.each([Number.POSITIVE_INFINITY, 40, masks.shortest + 2])(
      'allow what may come, and nothing else, within %d tokens',
      (maxNewTokens) => {
        const random = new PythonRandom(7)
        for (let text = 0; text < 6; text++) {
          const mask = masks.mask({ maxNewTokens })
          const ids: number[] = []
          for (let state = automaton.start(root); ids.length < Math.min(maxNewTokens, 60); ) {
            const bits = mask(ids)
            const allowed = [...texts.keys()].filter((id) => hasToken(bits, id))
            const forced = mask.forced(ids)
            const behind = (id: number): number => texts[id]!.reduce((at, byte) => automaton.step(at, byte), state)
            if (forced.length > 0) expect(allowed).toEqual([forced[0]])
            else if (maxNewTokens === Number.POSITIVE_INFINITY)
              expect(allowed).toEqual(
                [...texts.keys()].filter((id) => (id === END ? automaton.isAccepting(state) : behind(id) !== DEAD)),
              )
            expect(allowed.length).toBeGreaterThan(0)
            if (!JSON.stringify(structure).includes('"token"')) expect(allowed.filter(isControl)).toEqual([])
            expect(mask.isWhole(ids)).toBe(automaton.isAccepting(state))
            const id = pick(random, allowed)
            if (id === END) break
            expect(behind(id)).not.toBe(DEAD)
            state = behind(id)
            ids.push(id)
            if (ids.length === maxNewTokens) expect(automaton.isAccepting(state)).toBe(true)
          }
        }
      },
    )

    it('go back, and on in another way, as if they had never been elsewhere', () => {
      const random = new PythonRandom(3)
      const walk = (mask: (ids: readonly number[]) => Uint32Array, from: readonly number[]): number[] => {
        const ids = [...from]
        while (ids.length < 20) {
          const bits = mask(ids)
          const id = pick(
            random,
            [...texts.keys()].filter((each) => hasToken(bits, each)),
          )
          if (id === END) break
          ids.push(id)
        }
        return ids
      }
      const mask = masks.mask()
      const one = walk(mask, [])
      const other = walk(mask, one.slice(0, one.length >> 1))
      for (const ids of [one, other, one])
        expect([...mask(ids)]).toEqual([...new GrammarMasks(grammar, trie, { endTokenIds: [END] }).mask()(ids)])
    })
  },
)

describe('control tokens', () => {
  const SPELT = [
    { regex: '[\\s\\S]*' },
    { regex: '(?!x)[^a]*' },
    { grammar: 'root ::= [^a]* "\\xff[CALL]\\xfe"?' },
    { text: '\u00ff[CALL]\u00fe' },
    { choice: ['[CALL]', 'the'] },
    { json_schema: { type: 'string', pattern: '^[^a]*$' } },
    { until: 'x', unlike: ['y'] },
  ]
  it.each(SPELT)('come by no other structure: %j', (structure) => {
    let grammar: ReturnType<typeof compileGrammar>
    try {
      grammar = compileGrammar(structure)
    } catch {
      return // a structure that cannot be spelt lets nothing come
    }
    const mask = new GrammarMasks(grammar, trie, { endTokenIds: [END] }).mask()
    for (const text of ['', '"', '[', 'b', '[CALL]'])
      expect([...texts.keys()].filter((id) => isControl(id) && hasToken(mask([...encoder.encode(text)]), id))).toEqual(
        [],
      )
  })

  it('that must come are forced, between texts as the tokenizer writes them', () => {
    const encode = (text: string): number[] => [...encoder.encode(text)]
    const structure = { sequence: [{ text: 'the ' }, { token: '[CALL]' }, { text: 'id:' }, { regex: '[ab]' }] }
    const masks = new GrammarMasks(compileGrammar(structure), new TokenTrie(texts, encode), { endTokenIds: [END] })
    expect(masks.mask().forced([])).toEqual([...encode('the '), CALL, ...encode('id:')])
  })

  it('that a vocabulary has not are read as their texts', () => {
    const of = (tokens: readonly string[]) =>
      new GrammarMasks(compileGrammar({ token: '[CALL]' }, { controlTokens: new Set(tokens) }), trie, {
        endTokenIds: [END],
      })
        .mask()
        .isWhole([...encoder.encode('[CALL]')])
    expect([of([]), of(['[CALL]'])]).toEqual([true, false])
  })
})

describe('a text that must be whole in time', () => {
  const schema = {
    type: 'object',
    properties: { a: { type: 'array', items: { type: 'string', minLength: 9 } }, b: { type: 'integer' } },
    required: ['b'],
  }
  const masks = new GrammarMasks(compileGrammar({ json_schema: schema }), trie, { endTokenIds: [END] })

  it('is refused where no text is so short', () => {
    expect(() => masks.mask({ maxNewTokens: masks.shortest - 1 })).toThrow(
      `expected at least ${masks.shortest} for a whole answer`,
    )
  })

  it('does not begin what it could not end', () => {
    // {"b":0} takes {" b ": 0 } at the least; an `a` takes ten more.
    const mask = masks.mask({ maxNewTokens: masks.shortest + 3 })
    const open = [texts.findIndex((bytes) => Buffer.from(bytes).toString() === '{"')]
    const bits = mask(open)
    expect([hasToken(bits, 97), hasToken(bits, 98)]).toEqual([false, true])
    const roomy = masks.mask({ maxNewTokens: 60 })(open)
    expect(hasToken(roomy, 97)).toBe(true)
  })

  it('says what must come, but for an end that a longer token may hold', () => {
    const forcing = new GrammarMasks(
      compileGrammar({ sequence: [{ text: 'the {"name": ' }, { json_schema: { type: 'string' } }] }),
      trie,
      { endTokenIds: [END] },
    )
    // `": ` may go on as `": "`, so it is left to the model.
    expect(
      forcing
        .mask()
        .forced([])
        .map((id) => Buffer.from(texts[id]!).toString()),
    ).toEqual(['the', ' ', '{"name'])
    expect(forcing.mask({ maxNewTokens: 200 }).forced([])).toEqual(forcing.mask().forced([]))
  })
})
