import { expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { loadDtype, storedDtype, weightDtype } from './dtype.ts'

it('knows a stored type by both names', () => {
  for (const dtype of ['f32', 'bf16', 'f16'] as const) expect(storedDtype(weightDtype(dtype))).toBe(dtype)
  expect([storedDtype(null), storedDtype('float64')]).toEqual(['f32', 'f32'])
})

it('loads as f32 on a CPU and as stored elsewhere, unless told', () => {
  expect(loadDtype('auto', 'bfloat16', 'cpu')).toBe('f32')
  expect(loadDtype('auto', 'bfloat16', 'cuda')).toBe('bf16')
  expect(loadDtype('stored', 'float16', 'cpu')).toBe('f16')
  expect(loadDtype('f16', 'bfloat16', 'cuda')).toBe('f16')
})

it('refuses what is no type that is computed in', () => {
  for (const wish of ['int8', 'float32', 'i8', '']) {
    expect(() => loadDtype(wish as never, 'float32', 'cpu')).toThrow(UsageError)
    expect(() => loadDtype(wish as never, 'float32', 'cpu')).toThrow(`(f32, bf16, f16, f64), got '${wish}'`)
  }
})
