import { describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { InputError, UsageError } from '../errors.ts'
import { type Command, defineCommand } from './command.ts'

const failing = (error: Error): Command =>
  defineCommand({
    summary: 'fail',
    options: {
      'top-p': { kind: 'number', summary: 'a share' },
      ratio: { kind: 'number', summary: 'a share' },
      choose: { kind: 'list', summary: 'what to choose from', library: 'formats' },
    },
    run: (): Promise<number> => Promise.reject(error),
  })

describe('defineCommand', () => {
  it.each([
    ['topP: expected a share, got 2', '--top-p: expected a share, got 2'],
    ['top_p: expected a share, got 2', '--top-p: expected a share, got 2'],
    ['ratio: expected a share, got 2', '--ratio: expected a share, got 2'],
    ['--ratio: expected a share, got 2', '--ratio: expected a share, got 2'],
    ['formats: expected `top_p` or `ratio` with it', '--choose: expected --top-p or --ratio with it'],
    ['beta: expected `none` of `choose`', 'beta: expected `none` of `choose`'],
    ['constructor: expected none, got one', 'constructor: expected none, got one'],
    ['layers of 1: expected 2, got 1', 'layers of 1: expected 2, got 1'],
  ])('says of an option of the library what was typed: %s', async (message, said) => {
    const { code, err } = await runCommand(failing(new UsageError(message)), [])
    expect([code, err]).toEqual([2, `error: ${said}\n`])
  })

  it('leaves errors alone that are not about how it was called', async () => {
    const { code, err } = await runCommand(failing(new InputError('ratio: expected a file')), [])
    expect([code, err]).toEqual([3, 'error: ratio: expected a file\n'])
  })
})
