import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../../errors.ts'
import { GPT2_PATTERN } from './pre-tokenizer.ts'
import { compileSplitPattern } from './split-pattern.ts'

const LLAMA3 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
const MARK = String.raw`[^\r\n\p{L}\p{N}]?`
const REST = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

// Patterns of models in use, as their tokenizer.json files have them.
const REAL = {
  'GPT-2': GPT2_PATTERN,
  'Llama 3': LLAMA3,
  'Qwen 2': LLAMA3.replace('{1,3}', ''),
  'Qwen 3.5': String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  'GPT-4o': `${MARK}${UPPER}*${LOWER}+${SUFFIX}|${MARK}${UPPER}+${LOWER}*${SUFFIX}|\\p{N}{1,3}${REST}`,
  Tekken: `${MARK}${UPPER}*${LOWER}+|${MARK}${UPPER}+${LOWER}*|\\p{N}${REST}`,
  'DeepSeek digits': String.raw`\p{N}{1,3}`,
  'DeepSeek Han': '[一-龥぀-ゟ゠-ヿ]+',
  'DeepSeek words':
    String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_\x60{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.replace(
      '\\x60',
      '`',
    ),
  'DeepSeek coder': String.raw`\s?\p{L}+`,
  Bloom: String.raw` ?[^(\s|[.,!?…。，、।۔،])]+`,
  Ling: String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
  'Seed coder': String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`,
  'Falcon digits': '[0-9][0-9][0-9]',
  'T5 spaces': ' {2,}',
  'DeepSeek LLM spaces': String.raw`\s+$`,
}

describe('compileSplitPattern', () => {
  it.each(Object.entries(REAL))('accepts the pattern of %s and takes linear time with it', (_name, source) => {
    const pattern = compileSplitPattern({ Regex: source }, 'test')
    for (const unit of [
      'a',
      'A',
      'Aa',
      'aA',
      '^',
      ' ',
      '\n',
      ' \n',
      ' x',
      '1',
      '中',
      '中A',
      'é',
      "'s",
      "'",
      '\u0301',
      'A\u0301',
      '\r\n ',
    ]) {
      const text = `${unit.repeat(40_000 / unit.length)}x`
      const start = process.cpuUsage()
      text.match(pattern)
      // Quadratic would be 10^9 steps or more.
      expect(process.cpuUsage(start).user / 1000, JSON.stringify(unit)).toBeLessThan(1000)
    }
  })

  it.each([
    ['(a+)+', 'nested runs'],
    ['(a+)+b', 'nested runs'],
    ['(a|aa)+$', 'a run of groups'],
    ['a*b', 'a run that may fail after it'],
    ['a+b', 'a run that may fail after it'],
    [String.raw`\s+$|a`, 'a run that may fail after it'],
    [String.raw`(\w)\1`, 'a back-reference'],
    [String.raw`(?=(\d{3})+(?!\d))`, 'a look-ahead'],
    [String.raw`\s*[\r\n]+|\p{L}+`, 'a line end that nothing follows up'],
    [String.raw`\s+(?!\S)|\s*[\r\n]+`, 'a line end that comes last'],
    [`${MARK}${UPPER}*${LOWER}+`, 'half of a cased word'],
    ['a{1,99}b', 'a long count'],
    ['a?a?a?a?a?a?b', 'many optional items'],
    ['(?:a?){9}b', 'an optional item in a counted group'],
    ['', 'nothing'],
    ['a?', 'something that may be empty'],
    ['[a', 'an open class'],
    ['a(', 'an open group'],
    [String.raw`\p{Nonsense}`, 'an unknown property'],
    [`${'a'.repeat(5000)}`, 'a long pattern'],
    ['[\\p{Han}&&[^a]]+', 'an intersection'],
  ])('refuses %j (%s)', (source) => {
    expect(() => compileSplitPattern({ Regex: source }, 'f.json:p')).toThrow(TokenizerError)
    expect(() => compileSplitPattern({ Regex: source }, 'f.json:p')).toThrow(/pattern in f\.json:p: expected .*, got /)
  })

  it('takes a String literally', () => {
    expect('a.b*c'.split(compileSplitPattern({ String: '.' }, 'p'))).toEqual(['a', 'b*c'])
    expect('a(+]b'.split(compileSplitPattern({ String: '(+]' }, 'p'))).toEqual(['a', 'b'])
  })

  it('finds the spaces before the end of a line, as Oniguruma does', () => {
    const match = (text: string): string[] => text.match(compileSplitPattern({ Regex: String.raw`\s+$` }, 'p')) ?? []
    expect(match('a  b ')).toEqual([' '])
    expect(match('a \n b\n\n  c \t')).toEqual([' ', '\n', ' \t'])
    expect(match(' \n \n x')).toEqual([' \n '])
    expect(match('a b')).toEqual([])
  })

  it('reads white space and case as Oniguruma does', () => {
    const match = (text: string): string[] => text.match(compileSplitPattern({ Regex: LLAMA3 }, 'p')) ?? []
    expect(match("we'LL don'ſ")).toEqual(['we', "'LL", ' don', "'ſ"])
    expect(match('\u0085\u0085x')).toEqual(['\u0085', '\u0085x'])
    expect(match('\ufeff\ufeffx')).toEqual(['\ufeff\ufeff', 'x'])
  })
})
