import { expect, it } from 'vitest'
import { changed, type Summary, summaryLines, summaryTable } from './summary.ts'

it('says the same figures on the terminal and on the page', () => {
  const summary: Summary = [
    ['blocks', '3 → 2'],
    ['perplexity', '8 → 9'],
  ]
  expect(summaryLines(summary)).toEqual(['blocks      3 → 2', 'perplexity  8 → 9'])
  expect(summaryTable(summary)).toEqual({ kind: 'table', columns: ['', ''], rows: summary })
})

it('says by what share something changed', () => {
  expect(changed(10, 8, String)).toBe('10 → 8, -20 %')
  expect(changed(8, 9, String)).toBe('8 → 9, +12.5 %')
  expect(changed(1000, 1004, String)).toBe('1000 → 1004, +0.4 %')
  expect(changed(7, 7, String)).toBe('7 → 7, 0 %')
})
