// What the card of SANDE says was measured is what the results of its experiment say.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ARMS } from '../experiments/sande/arms.ts'
import { BUDGETS } from '../experiments/sande/attacks.ts'
import { chosenBudget, chosenRate, defended, isSyntax, type Results } from '../experiments/sande/cells.ts'
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

it('defends the syntactic attack in every way on three pre-trainings, with the budget that another model chose', () => {
  expect(results.settings.budgets).toEqual(BUDGETS)
  expect(results.tries.filter(({ model }) => model === 0).map(({ budget }) => budget)).toEqual(
    BUDGETS.map(({ name }) => name),
  )
  expect(chosenBudget(results)).toBe(BUDGETS.at(-1)!.name)
  const own = [true, false].flatMap((isWorking) => defended(results, isWorking).filter(isSyntax))
  const rows = [1, 2, 3].flatMap((model) => ['no defence', ...ARMS.map(({ name }) => name)].map((arm) => [model, arm]))
  expect(own.map(({ model, arm }) => [model, arm]).sort()).toEqual(rows.sort())
})
