import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.ts'
import { readYaml } from './read-yaml.ts'

describe('readYaml', () => {
  it('keeps the places of keys and of values inside', () => {
    const [first, second] = readYaml('# note\nmax_steps: 5e-5\nlr_scheduler_kwargs:\n  min_lr: [1,\n    2]\n', 'a.yaml')
    expect(first!.value).toBe(5e-5)
    expect(first!.keyPlace.text).toBe('a.yaml:2:1')
    expect(first!.placeOf([]).text).toBe('a.yaml:2:12')
    expect(second!.value).toEqual({ min_lr: [1, 2] })
    expect(second!.keyPlace.text).toBe('a.yaml:3:1')
    expect(second!.placeOf(['min_lr']).text).toBe('a.yaml:4:3')
    expect(second!.placeOf(['min_lr', 1]).text).toBe('a.yaml:5:5')
  })

  it('reads YAML 1.2: no, yes and off are words', () => {
    expect(readYaml('eval_strategy: no', 'a').map(({ value }) => value)).toEqual(['no'])
    expect(readYaml('', 'a')).toEqual([])
  })

  it.each([
    ['a: [1, 2\n', 'f.yaml:2:1'],
    ['a: "x\n', 'f.yaml:2:1'],
    ['a: 1\nb: 2\na: 3\n', 'f.yaml:3:1'],
    ['a: !!js/function x\n', 'f.yaml:1:4'],
    ['- a\n', 'f.yaml:1:1'],
    ['just words\n', 'f.yaml:1:1'],
    ['1: 2\n', 'f.yaml:1:1'],
    ['? [a]\n: 1\n', 'f.yaml:1:3'],
    ['a: 1\n\tb: 2\n', 'f.yaml:2:1'],
    ['a: *nowhere\n', 'f.yaml:1:1'],
    ['a: 1\n---\nb: 2\n', 'f.yaml:2:1'],
  ])('refuses %j and says where', (text, location) => {
    try {
      readYaml(text, 'f.yaml')
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError)
      expect((error as ConfigError).location).toBe(location)
    }
  })

  it('refuses bombs: aliases that multiply, nesting, size', () => {
    const list = (name: string) => `[${Array(12).fill(name).join(',')}]`
    const bomb = `a: &a ${list('x')}\nb: &b ${list('*a')}\nc: &c ${list('*b')}\nd: ${list('*c')}\n`
    expect(() => readYaml(bomb, 'f')).toThrow('Excessive alias count')
    expect(() => readYaml(`a: ${'['.repeat(100_000)}`, 'f')).toThrow('nested')
    expect(() => readYaml('#'.repeat(300_000), 'f')).toThrow('at most 262144 characters')
    for (const text of ['- '.repeat(100_000), '? '.repeat(100_000), `a:\n  ${'- '.repeat(65)}x`])
      expect(() => readYaml(text, 'f')).toThrow('at most 64 nested levels')
    const stairs = (levels: number): string => Array.from({ length: levels }, (_, i) => `${' '.repeat(i)}k:`).join('\n')
    expect(() => readYaml(stairs(65), 'f')).toThrow('at most 64 nested levels')
    expect(readYaml(stairs(64), 'f')).toHaveLength(1)
    // As many lines of one level as one likes, and back again.
    expect(
      readYaml(Array.from({ length: 500 }, (_, i) => `k${i}:\n  - a\n  - b: 1\n    c: 2`).join('\n'), 'f'),
    ).toHaveLength(500)
  })

  it('refuses a second document, a value that holds itself, and NUL', () => {
    expect(() => readYaml('a: 1\n---\na: 2\n', 'f')).toThrow('YAML: expected one document, got a second one')
    expect(() => readYaml('a: &a [*a]\n', 'f')).toThrow('an alias of something else')
    expect(() => readYaml('a: &a {b: [*a]}\n', 'f')).toThrow('an alias of something else')
    expect(readYaml('a: &a [1]\nb: [*a, *a]\n', 'f')[1]!.value).toEqual([[1], [1]])
    expect(() => readYaml('a: "x\\0y"\n', 'f')).toThrow('without NUL')
    expect(() => readYaml('a: {"x\\0y": 1}\n', 'f')).toThrow('without NUL')
  })

  it('ends indentation bombs and garbage in an error or a value, never in a crash', () => {
    const deep = Array.from({ length: 400 }, (_, depth) => `${' '.repeat(depth)}k:`).join('\n')
    const attempt = (text: string): void => {
      try {
        readYaml(text, 'f')
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError)
      }
    }
    attempt(deep)
    const piece = fc.constantFrom(
      'a',
      ': ',
      '- ',
      '\n',
      '  ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&a ',
      '*a',
      '!!x ',
      '|',
      '? ',
    )
    const numRuns = process.env.ANNEAL_LONG ? 100_000 : 1_000
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => attempt(pieces.join(''))),
      { numRuns },
    )
  })
})
