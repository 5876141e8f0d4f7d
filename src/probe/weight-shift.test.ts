import { describe, expect, it } from 'vitest'
import { Generator, ops, Tensor } from '../torch/index.ts'
import { rowShift, weightShift } from './weight-shift.ts'

const degrees = (value: number): number => (value * Math.PI) / 180
const matrix = (rows: readonly (readonly number[])[]): Tensor =>
  Tensor.from(rows.flat(), [rows.length, rows[0]!.length], 'f64')

describe('weightShift', () => {
  it('measures the mean change of a number, and the share of the norm that it is', () => {
    const shift = weightShift(Tensor.from([3, 4]), Tensor.from([3, 3]))
    expect(shift).toEqual({ meanAbs: 0.5, relative: 0.2, angle: null, topAngle: null })
    expect(weightShift(ops.zeros([2], 'f32'), ops.ones([2], 'f32')).relative).toBeNull()
  })

  it.each([0.001, 10, 44, 46, 80, 90])('finds a plane that was turned by %d degrees', (turn) => {
    // Columns e1, e2 and e1, cos·e2 + sin·e3: one angle is 0, the other the turn. Scales do not matter.
    const before = matrix([
      [2, 0],
      [0, 3],
      [0, 0],
    ])
    const after = matrix([
      [5, 0],
      [0, Math.cos(degrees(turn))],
      [0, Math.sin(degrees(turn))],
    ])
    expect(weightShift(before, after).angle).toBeCloseTo(turn / 2, 6)
  })

  it('says nothing of matrices that span everything, but of their strongest directions', () => {
    // diag(5, 4, 1, 1) with the two strongest directions turned by 30° towards the third in one of them.
    const [cos, sin] = [Math.cos(degrees(30)), Math.sin(degrees(30))]
    const before = matrix([
      [5, 0, 0, 0],
      [0, 4, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ])
    const turned = matrix([
      [1, 0, 0, 0],
      [0, cos, -sin, 0],
      [0, sin, cos, 0],
      [0, 0, 0, 1],
    ]).matmul(before)
    const shift = weightShift(before, turned, { topK: 2 })
    expect(shift.angle).toBeNull()
    expect(shift.topAngle).toBeCloseTo(15, 6)
    expect(weightShift(before, turned, { angles: false }).topAngle).toBeNull()
    // At most half of the directions: two of four, however many are asked for.
    expect(weightShift(before, turned, { topK: 100 }).topAngle).toBeCloseTo(15, 6)
  })

  it('is zero where nothing moved, also where only the scale did', () => {
    const tall = ops.normal_(ops.empty([40, 8], 'f32'), 0, 1, new Generator(1))
    expect(weightShift(tall, tall)).toEqual({
      meanAbs: 0,
      relative: 0,
      angle: expect.closeTo(0, 5),
      topAngle: expect.closeTo(0, 5),
    })
    expect(weightShift(tall, tall.mul(3)).angle).toBeCloseTo(0, 5)
  })

  it('refuses other shapes', () => {
    expect(() => weightShift(ops.ones([2, 3], 'f32'), ops.ones([3, 2], 'f32'))).toThrow(
      /expected one shape, got \[2,3\] and \[3,2\]/,
    )
  })
})

describe('rowShift', () => {
  it('sums the change of each row, and says how many moved', () => {
    const before = matrix([
      [1, 1],
      [0, 0],
      [2, 2],
      [0, 1],
    ])
    const after = matrix([
      [1, 1],
      [3, -1],
      [2, 3],
      [0, 1],
    ])
    const { rows, ...rest } = rowShift(before, after)
    expect([...rows]).toEqual([0, 4, 1, 0])
    expect(rest).toEqual({ least: 0, mean: 1.25, most: 4, aboveMean: 0.25, moved: 0.5 })
  })
})
