import { describe, expect, it } from 'vitest'
import { InputError, UnsupportedError } from '../../errors.ts'
import { modulePattern } from './module-pattern.ts'

const NAMES = [0, 1, 11].flatMap((i) =>
  ['self_attn.q_proj', 'self_attn.v_proj', 'mlp.down_proj'].map((end) => `model.layers.${i}.${end}`),
)

describe('modulePattern', () => {
  // Counted with Python's re.match(rf"(.*\.)?({pattern})$", name), which PEFT calls.
  it.each([
    ['v_proj', [1, 4, 7]],
    ['_proj', []],
    ['layers.1.self_attn.q_proj', [3]],
    ['q_proj|down_proj', [0, 2, 3, 5, 6, 8]],
    ['^q_proj', []],
    ['^model.layers.0.self_attn.q_proj', [0]],
    ['.*\\.1\\..*v_proj', [4]],
    ['.*_proj', [0, 1, 2, 3, 4, 5, 6, 7, 8]],
    ['layers\\.(?:[01])\\..*[qv]_proj', [0, 1, 3, 4]],
    ['layers\\.\\d{2}\\.self_attn\\.\\w+', [6, 7]],
    ['(?!.*mlp).*1.*', [3, 4, 6, 7]],
  ])('reads %s as PEFT does', (pattern, expected) => {
    const isMeant = modulePattern(pattern, 'f:rank_pattern')
    expect(NAMES.flatMap((name, i) => (isMeant(name) ? [i] : []))).toEqual(expected)
  })

  it.each(['(?P<a>q)_proj', '(?i)Q_PROJ', '\\Aq_proj', 'q_proj\\Z', '(q)\\1', 'q{,2}_proj', '[]q]_proj', '(', 'a++'])(
    'refuses %s, which Python reads otherwise or which is no pattern, and says what to do',
    (pattern) => {
      expect(() => modulePattern(pattern, 'f:rank_pattern')).toThrow(UnsupportedError)
      expect(() => modulePattern(pattern, 'f:rank_pattern')).toThrow(
        /^f:rank_pattern: .* Write the names of the modules/,
      )
    },
  )

  it('gives a pattern up that would take for ever', () => {
    const isMeant = modulePattern('(\\w+)+b', 'f:rank_pattern')
    expect(() => isMeant('a'.repeat(60))).toThrow(InputError)
    expect(isMeant('aab')).toBe(true)
  })
})
