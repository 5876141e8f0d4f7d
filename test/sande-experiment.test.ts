// What the card of SANDE says was measured is what the results of its experiment say.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { chosenRate, type Results } from '../experiments/sande/cells.ts'
import { writeTables } from '../experiments/sande/tables.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const results = JSON.parse(read('experiments/sande/results/2026-11-27.json')) as Results
const tables = writeTables(results)

it('writes the tables that are beside the results', () => {
  expect(tables).toBe(read('experiments/sande/results/2026-11-27.md'))
})

it('has its tables in the card', () => {
  const card = read('src/methods/sande/card.md')
  const parts = tables.split('\n\n').filter((part) => part.startsWith('| '))
  expect(parts.length).toBeGreaterThan(5)
  for (const part of parts) expect(card).toContain(part.trim())
})

it('defends every model at the rates that were chosen on the model of no table', () => {
  const { arms } = results.settings as unknown as { arms: Record<string, string> }
  const defended = results.cells.filter(({ model, done }) => model !== 0 && done !== null)
  expect(defended.length).toBeGreaterThan(100)
  for (const { arm, rate } of defended) expect(rate).toBe(chosenRate(results, arms[arm]!))
})
