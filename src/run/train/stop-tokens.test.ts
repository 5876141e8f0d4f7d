import { expect, it } from 'vitest'
import { randomDecoder } from '../../../test/random-decoder.ts'
import { stopAlsoAt } from './stop-tokens.ts'

it('adds end tokens once each, and leaves the configuration that the model was given as it was', () => {
  const model = randomDecoder(1)
  const given = model.config
  const before = structuredClone(given)
  const [first = 2] = given.eosTokenIds
  stopAlsoAt(model, [first, 5, 5])
  expect(model.config.eosTokenIds).toEqual([...new Set([...before.eosTokenIds, first, 5])])
  expect(given).toEqual(before)
  model.free()
})
