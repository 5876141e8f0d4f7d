import { mkdirSync, mkdtempSync, openSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { describeError, exitCodeOf } from './errors.ts'
import { describeSystemError } from './system-error.ts'

function caught(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  throw new Error('expected an error, got none')
}

it('says in words what the system refused', () => {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-system-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const inside = (name: string): string => join(directory, name)
  symlinkSync('loop', inside('loop'))
  writeFileSync(inside('file'), '')
  mkdirSync(inside('full'))
  writeFileSync(inside('full/x'), '')
  const long = 'n'.repeat(5000)
  for (const [action, words] of [
    [
      () => openSync(inside('missing'), 'r'),
      /^cannot open \S+missing: expected something there, got nothing \(ENOENT\)\. Check/,
    ],
    [
      () => openSync(inside('loop'), 'r'),
      /^cannot open \S+loop: expected a link that ends somewhere, got one that leads back/,
    ],
    [() => readdirSync(inside('file')), /^cannot list \S+file: expected folders on the way to it, got a file/],
    [() => mkdirSync(inside('file/x')), /^cannot make \S+file\/x: expected folders/],
    [() => openSync(inside(long), 'r'), /^cannot open \S{200,300}: expected a shorter name, got one longer than/],
    [
      () => renameSync(inside('file'), inside('full')),
      /^cannot rename \S+file to \S+full: expected a file, got a directory/,
    ],
  ] as const) {
    const error = caught(action)
    expect(describeSystemError(error)).toMatch(words)
    expect(describeError(error)).toBe(`error: ${describeSystemError(error)}`)
    expect(exitCodeOf(error)).toBe(3)
  }
})

it('leaves every other error to itself', () => {
  for (const error of [
    new Error('x'),
    null,
    'x',
    Object.assign(new Error('x'), { code: 'ENOENT' }),
    new TypeError('y'),
  ])
    expect(describeSystemError(error)).toBeUndefined()
  expect(exitCodeOf(new Error('x'))).toBe(1)
})
