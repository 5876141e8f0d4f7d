import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { parseArguments } from './arguments.ts'
import { type Command, defineCommand, type OptionValues } from './command.ts'

const options = {
  model: { kind: 'text', value: 'DIR', summary: 'model directory', required: true },
  'max-new-tokens': { kind: 'integer', summary: 'how many', default: 64, min: 1 },
  temperature: { kind: 'number', summary: 'how bold', min: 0, max: 2 },
  to: { kind: 'choice', choices: ['gguf', 'hf'], summary: 'format' },
  stop: { kind: 'list', summary: 'where to stop' },
  stream: { kind: 'flag', summary: 'as it comes' },
} as const

const command: Command = defineCommand({
  summary: 'try the parser',
  positionals: { name: 'TEXT…', summary: 'texts', min: 0, max: 2 },
  options,
  run: async () => {},
})

const parse = (line: string) => parseArguments(command, line === '' ? [] : line.split(' '))

describe('parseArguments', () => {
  it('gives typed values, defaults, lists and positionals', () => {
    const { options: values, positionals, given } = parse('a --model m --max-new-tokens=3 --stop x --stop y --stream b')
    expect(values).toEqual({
      model: 'm',
      maxNewTokens: 3,
      temperature: undefined,
      to: undefined,
      stop: ['x', 'y'],
      stream: true,
    })
    expect(positionals).toEqual(['a', 'b'])
    expect([...given].sort()).toEqual(['max-new-tokens', 'model', 'stop', 'stream'])
  })

  it('types its values from the table', () => {
    type Values = OptionValues<typeof options>
    expectTypeOf<Values['model']>().toEqualTypeOf<string>()
    expectTypeOf<Values['maxNewTokens']>().toEqualTypeOf<number>()
    expectTypeOf<Values['temperature']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Values['to']>().toEqualTypeOf<'gguf' | 'hf' | undefined>()
    expectTypeOf<Values['stop']>().toEqualTypeOf<string[]>()
    expectTypeOf<Values['stream']>().toEqualTypeOf<boolean>()
  })

  it('takes underscores, negative numbers, --no-flag, -- and -h', () => {
    expect(parse('--model m --max_new_tokens 5').options.maxNewTokens).toBe(5)
    expect(parse('--model m -1 -').positionals).toEqual(['-1', '-'])
    expect(parse('--model m --stream --no-stream').options.stream).toBe(false)
    expect(parse('--model m --stream=false').options.stream).toBe(false)
    expect(parse('--model m -- --stream').positionals).toEqual(['--stream'])
    expect(parse('-h').help).toBe(true)
    expect(parse('--model -x').options.model).toBe('-x')
  })

  it.each([
    ['', '--model: expected DIR, got nothing. It is required'],
    ['--model', '--model: expected DIR after it, got nothing'],
    ['--model --stream', '--model: expected DIR after it, got nothing'],
    ['--model a --model b', '--model: expected once, got it twice'],
    ['--model m --max-new-tokens 0', "--max-new-tokens: expected a whole number ≥ 1, got '0'"],
    ['--model m --max-new-tokens 1.5', "--max-new-tokens: expected a whole number ≥ 1, got '1.5'"],
    ['--model m --max-new-tokens 1e99', "--max-new-tokens: expected a whole number ≥ 1 and ≤ 2^53 − 1, got '1e99'"],
    ['--model m --temperature=', "--temperature: expected a number ≥ 0 and ≤ 2, got ''"],
    ['--model m --temperature warm', "--temperature: expected a number ≥ 0 and ≤ 2, got 'warm'"],
    ['--model m --to ggfu', "--to: expected gguf or hf, got 'ggfu'. Did you mean 'gguf'?"],
    ['--model m --stream=maybe', "--stream: expected true or false, got 'maybe'"],
    ['--model m --no-stream=1', "--no-stream: expected no value, got '1'"],
    ['--modle m', "unknown option '--modle'. Did you mean '--model'?"],
    ['--zebra', "unknown option '--zebra'. Run with --help to see the options"],
    ['--__proto__ x', "unknown option '--__proto__'. Run with --help to see the options"],
    ['-m m', "unknown option '-m': options have two dashes. Run with --help to see them"],
    ['--model m a b c', "unexpected argument 'c'. Run with --help to see what goes there"],
  ])('refuses %j', (line, message) => {
    expect(() => parse(line)).toThrow(new UsageError(message))
  })

  it('says what was given of words that must be more', () => {
    const two: Command = { ...command, positionals: { name: 'A B', summary: 'two', min: 2, max: 2 } }
    expect(() => parseArguments(two, ['--model', 'm', 'x'])).toThrow("expected A B, got 'x'. Run with --help")
    expect(() => parseArguments(two, ['--model', 'm'])).toThrow('expected A B, got nothing. Run with --help')
  })

  it('either parses or throws a UsageError, whatever is typed', () => {
    const names = [...Object.keys(options), 'no-stream', 'zebra', 'constructor']
    const word = fc.oneof(fc.string(), ...names.map((name) => fc.constant(`--${name}`)), fc.constant('--model=m'))
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        try {
          parseArguments(command, words)
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError)
        }
      }),
    )
  })
})
