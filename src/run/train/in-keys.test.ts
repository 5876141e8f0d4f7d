import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { InputError, UsageError } from '../../errors.ts'
import { inKeys } from './in-keys.ts'

describe('errors of runs', () => {
  it('name no option as the command line spells it', () => {
    const run = fileURLToPath(new URL('..', import.meta.url))
    const files = readdirSync(run, { recursive: true, encoding: 'utf8' }).filter((path) =>
      // What a page's own script says of style sheets begins with dashes, too.
      /(?<!\.test|map-script)\.ts$/.test(path),
    )
    const code = (path: string): string => readFileSync(join(run, path), 'utf8').replace(/^\s*(?:\/?\*|\/\/).*$/gm, '')
    const OPTION = /['"`]--[a-z].*|\b(?:give|choose|set|with) --[a-z].*/gi
    const spelled = files.flatMap((path) => (code(path).match(OPTION) ?? []).map((found) => `${path}: ${found}`))
    expect(files.length).toBeGreaterThan(50)
    expect(spelled).toEqual([])
  })
})

describe('inKeys', () => {
  const fail = (error: Error) => (): never => {
    throw error
  }
  it('says the key where the library says its option, and leaves everything else alone', () => {
    const keys = { labelSmoothing: 'label_smoothing', layers: 'freeze_trainable_layers' }
    expect(() => inKeys(keys, fail(new UsageError('labelSmoothing: expected 0, got 1')))).toThrow(
      new UsageError('label_smoothing: expected 0, got 1'),
    )
    expect(() =>
      inKeys(keys, fail(new UsageError('beta: expected none with `labelSmoothing`, got 1. layers: no; `r`: no'))),
    ).toThrow(new UsageError('beta: expected none with label_smoothing, got 1. layers: no; `r`: no'))
    expect(() => inKeys(keys, fail(new UsageError('beta: expected a number above 0')))).toThrow(/^beta/)
    expect(() => inKeys(keys, fail(new UsageError('toString: no option')))).toThrow(/^toString/)
    const other = new InputError('layers: of another kind')
    expect(() => inKeys(keys, fail(other))).toThrow(other)
    expect(inKeys(keys, () => 7)).toBe(7)
  })
})
