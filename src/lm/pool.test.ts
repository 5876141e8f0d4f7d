import { expect, it } from 'vitest'
import { pool } from './pool.ts'

const STATES = Float32Array.of(3, 0, 1, 4, -1, 8) // three tokens of two numbers

it('takes the last, the mean or all', () => {
  expect(pool(STATES, 2, 'last')).toEqual(Float32Array.of(-1, 8))
  expect(pool(STATES, 2, 'mean')).toEqual(Float32Array.of(1, 4))
  expect(pool(STATES, 2, 'none')).toEqual(STATES)
})

it('gives every vector length 1, and leaves 0 alone', () => {
  expect(pool(Float32Array.of(3, 4), 2, 'last', true)).toEqual(Float32Array.of(0.6, 0.8))
  expect(pool(Float32Array.of(0, 0, 0, -2), 2, 'none', true)).toEqual(Float32Array.of(0, 0, 0, -1))
})

it('changes nothing in what it is given', () => {
  const states = STATES.slice()
  for (const pooling of ['last', 'mean', 'none'] as const) pool(states, 2, pooling, true)
  expect(states).toEqual(STATES)
})
