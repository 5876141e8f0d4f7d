// Values are SciPy 1.17.1's (spearmanr, t.sf; residuals of ranks for partial ones); exact ones are counts over all orders with it.
import { describe, expect, it } from 'vitest'
import { ranksOf } from '../../data/ranks.ts'
import { InputError } from '../../errors.ts'
import { twoSidedP } from '../metrics/student-t.ts'
import { partialSpearman, spearman } from './spearman.ts'

describe('two-sided p of Student', () => {
  it.each([
    [2, 1, 0.2951672353008665],
    [2, 8, 0.08051623795726262],
    [-2, 8, 0.08051623795726262],
    [0.3, 23, 0.7668717999792896],
    [12.7, 3, 0.0010530526821985991],
    [0, 4, 1],
  ])('t %d, %d degrees of freedom', (t, degrees, p) => {
    expect(twoSidedP(t, degrees)).toBeCloseTo(p, 12)
  })
  it('keeps its digits far out', () => {
    expect(twoSidedP(50, 30) / 1.871541765922271e-30).toBeCloseTo(1, 9)
  })
})

describe('ranks', () => {
  it('are shared by equal values', () => {
    expect(ranksOf([30, 10, 20, 20, 40, 20])).toEqual([5, 1, 3, 3, 6, 3])
  })
})

describe('Spearman', () => {
  it('counts the orders of few values, ties among them', () => {
    expect(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toEqual({
      rho: expect.closeTo(0.8207826816681233, 12),
      p: 16 / 120,
      n: 5,
      test: 'exact',
    })
    expect(spearman([1, 2, 2, 3, 5, 5], [3, 1, 4, 4, 2, 9]).p).toBe(408 / 720)
    // Perfect order of five: only itself and its mirror image are as far out.
    expect(spearman([0.25, 0.15, 0.1, 0.06, 0.04], [-9, -7, -5, -3, -1])).toMatchObject({ rho: -1, p: 2 / 120 })
  })
  it('goes by Student above nine', () => {
    const iq = [106, 86, 100, 101, 99, 103, 97, 113, 112, 110]
    const tv = [7, 0, 27, 50, 28, 29, 20, 12, 6, 17]
    const { rho, p, test } = spearman(iq, tv)
    expect([rho, p]).toEqual([expect.closeTo(-0.17575757575757575, 12), expect.closeTo(0.6271883447764846, 12)])
    expect(test).toBe('t')
    expect(spearman(X, Y)).toMatchObject({
      rho: expect.closeTo(0.7783883707599996, 12),
      p: expect.closeTo(0.002862134205582402, 12),
    })
  })
  it('is 1 with p 0 for an order kept by many', () => {
    const many = Array.from({ length: 12 }, (_, i) => i)
    expect(spearman(many, many.map(Math.exp))).toMatchObject({ rho: 1, p: 0 })
  })
  it('refuses what has no correlation', () => {
    expect(() => spearman([1, 2], [2, 1])).toThrow(/at least 3 pairs, got 2\. Measure more languages/)
    expect(() => spearman([1, 2, 3], [4, 4, 4], ['share', 'mitigation'])).toThrow(
      /share and mitigation: expected values of mitigation that differ, got 4 throughout/,
    )
    expect(() => spearman([1, 2, 3], [1, Number.NaN, 3])).toThrow(InputError)
    expect(() => spearman([1, 2, 3], [1, 2])).toThrow(/as many values of both, got 3 and 2/)
  })
})

const X = [1, 2, 2, 3, 5, 5, 8, 9, 9, 9, 11, 12]
const Y = [3, 1, 4, 4, 2, 9, 6, 6, 8, 10, 7, 12]
const Z = [2, 1, 4, 3, 6, 5, 7, 8, 10, 9, 12, 11]
const GROUPS = ['a', 'a', 'a', 'b', 'b', 'b', 'c', 'c', 'c', 'd', 'd', 'd']

describe('partial Spearman', () => {
  it('takes out a column of numbers', () => {
    const { rho, p } = partialSpearman(X, Y, [Z])
    expect([rho, p]).toEqual([expect.closeTo(0.2772721684419171, 10), expect.closeTo(0.4091059313127773, 10)])
  })
  it('takes out names, and does not count a covariate twice', () => {
    const expected = [expect.closeTo(0.13953510699085486, 10), expect.closeTo(0.7203132054851341, 10)]
    const once = partialSpearman(X, Y, [GROUPS])
    const twice = partialSpearman(X, Y, [GROUPS, GROUPS.map((name) => name.toUpperCase())])
    expect([once.rho, once.p]).toEqual(expected)
    expect([twice.rho, twice.p]).toEqual(expected)
  })
  it('without covariates is Spearman', () => {
    expect(partialSpearman(X, Y, [])).toEqual(spearman(X, Y))
  })
  it('refuses covariates that leave nothing', () => {
    expect(() => partialSpearman([1, 2, 3, 4], [1, 3, 2, 4], [['a', 'b', 'c', 'd']])).toThrow(
      /more pairs than the covariates take/,
    )
    expect(() => partialSpearman([1, 1, 1, 2, 2, 2], [1, 2, 3, 4, 5, 6], [['a', 'a', 'a', 'b', 'b', 'b']])).toThrow(
      /x to differ beside the covariates/,
    )
  })
})
