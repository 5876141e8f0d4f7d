import { expect, it } from 'vitest'
import { EngineMissingError, NativeError } from '../errors.ts'
import { resolve } from './native.ts'

it('says whether LibTorch or the add-on has no such operator', () => {
  expect(() => resolve('aten::no_such_thing', '')).toThrow(NativeError)
  expect(() => resolve('anneal::no_such_thing', '')).toThrow(EngineMissingError)
  expect(() => resolve('anneal::no_such_thing', '')).toThrow('Run `anneal setup`')
})
