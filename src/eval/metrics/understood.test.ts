import { describe, expect, it } from 'vitest'
import { aggregate, standardError } from '../aggregate.ts'
import { twoSidedP } from './student-t.ts'
import { type TemplateItem, understoodLanguagesP } from './understood.ts'

const answers = (template: string, ...values: readonly number[]): TemplateItem[] =>
  values.map((value) => [template, null, value])
const controls = (template: string, language: string, ...values: readonly number[]): TemplateItem[] =>
  values.map((value) => [template, language, value])

describe('means over templates', () => {
  const items: TemplateItem[] = [
    ...answers('a', 1, 1, 1, -1), // 1/2
    ...answers('b', 0), // 0
    ...answers('c', 1, 0, 0, 0), // 1/4
    ...answers('d', -1, -1), // not understood in es
    ...answers('e', 1), // no control question
    ...['a', 'b', 'c', 'd'].flatMap((template) => controls(template, 'en', 1, 0)),
    ...['a', 'b', 'c'].flatMap((template) => controls(template, 'es', 1, 1, 0)),
    ...controls('d', 'es', 1, 0, 0, 0), // 1/4 is not above a third
  ]
  it('are those of what was understood in every language', () => {
    expect(aggregate('understood_mean', items)).toBeCloseTo((1 / 2 + 0 + 1 / 4) / 3, 12)
    expect(aggregate('understood_share', items)).toBe(3 / 5)
  })
  it('have the standard error of templates, and its t-test', () => {
    // s² of 1/2, 0, 1/4 is 1/16; the error √(1/48), t √3.
    expect(standardError('understood_mean', items, 100)).toBeCloseTo(Math.sqrt(1 / 48), 12)
    expect(aggregate('understood_p', items)).toBeCloseTo(twoSidedP(Math.sqrt(3), 2), 12)
    expect(standardError('understood_p', items, 100)).toBe('N/A')
  })
  it('are of all templates where there are no control questions, and NaN where none was understood', () => {
    expect(aggregate('understood_mean', [...answers('a', 1), ...answers('b', 0, 0)])).toBe(1 / 2)
    expect(aggregate('understood_mean', [...answers('a', 1), ...controls('a', 'en', 0)])).toBeNaN()
    expect(standardError('understood_mean', [...answers('a', 1), ...controls('a', 'en', 1)], 9)).toBe('N/A')
    expect(aggregate('understood_p', [...answers('a', 0), ...answers('b', 0)])).toBe(1)
  })
})

it("Student's t, against SciPy 1.15", () => {
  for (const [t, freedom, p] of [
    [2, 5, 0.10193947882985835],
    [0.3, 1, 0.8144528418445154],
    [-4.5, 23, 0.00016187034026208483],
    [12, 100, 4.395087715604393e-21],
    [0, 3, 1],
    [1.5, 2.5, 0.24783645308629618],
  ] as const)
    expect(Math.abs(twoSidedP(t, freedom) / p - 1)).toBeLessThan(1e-11)
  expect(twoSidedP(1, 0)).toBeNaN()
})

it('takes nothing for understood where the controls at hand have open contexts alone, as under a limit', () => {
  const open: TemplateItem = ['1', 'en', null]
  expect(aggregate('understood_share', [...answers('1', 1), ...answers('2', 1)])).toBe(1)
  expect(aggregate('understood_share', [open, ...answers('1', 1), ...answers('2', 1)])).toBe(0)
  expect(aggregate('understood_mean', [open, ...answers('1', 1)])).toBeNaN()
  expect(aggregate('understood_mean', [open, ...controls('1', 'en', 1), ...answers('1', 1)])).toBe(1)
})

describe('languages', () => {
  const items = (language: string, values: readonly number[]): TemplateItem[] =>
    values.map((value, i): TemplateItem => [`t${i}`, null, value, language])
  it('are compared by the means of their templates, of those that all understood', () => {
    // SciPy's kruskal of [0.5, 0.25, -0.1, 0.25] and [0.6, 0.9, 0.8].
    const [one, other] = [items('en', [0.5, 0.25, -0.1, 0.25]), items('es', [0.6, 0.9, 0.8])]
    expect(understoodLanguagesP([...one, ...other])).toBeCloseTo(0.03231291124324416, 10)
    // A template that one language did not understand counts in none.
    const controls: TemplateItem[] = [0, 1, 2, 3, 4].flatMap((t) => [
      [`t${t}`, 'en', 1],
      [`t${t}`, 'es', t === 4 ? 0 : 1],
    ])
    const more: TemplateItem[] = [
      ['t4', null, 1, 'en'],
      ['t4', null, -1, 'es'],
    ]
    expect(understoodLanguagesP([...one, ...other, ...more, ...controls])).toBeCloseTo(0.03231291124324416, 10)
    expect(understoodLanguagesP(one)).toBeNaN()
  })
})
