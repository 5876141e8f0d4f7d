// The expected numbers are CPython 3.11's.
import { expect, it } from 'vitest'
import { PythonRandom } from './python-random.ts'

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

it('draws what random.Random draws', () => {
  const random = new PythonRandom(1234)
  expect([random.random(), random.random(), random.random()]).toEqual([
    0.9664535356921388, 0.4407325991753527, 0.007491470058587191,
  ])
  expect(random.sample(upTo(10), 5)).toEqual([9, 0, 1, 8, 2])
  expect(random.sample(upTo(1000), 8)).toEqual([242, 17, 31, 807, 16, 354, 663, 638])
  expect(random.sample(upTo(30), 3)).toEqual([15, 19, 14])
})

it('chooses and shuffles as it does, and takes large seeds', () => {
  const random = new PythonRandom(0)
  expect([...random.choiceIndices(100, new Int32Array(6))]).toEqual([84, 75, 42, 25, 51, 40])
  expect(random.shuffle(upTo(8))).toEqual([6, 0, 5, 1, 7, 2, 3, 4])
  expect(new PythonRandom(2 ** 40 + 7).random()).toBe(0.6137037779936511)
})
