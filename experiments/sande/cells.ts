// What an experiment has found so far, cell by cell, and means of it.
import { statistics } from '../setting/statistics.ts'
import type { Defended } from './arms.ts'
import { type Budget, SYNTAX, type Way } from './attacks.ts'
import type { Look, Measured } from './measure.ts'

export interface Cell {
  model: number
  attack: string
  arm: string
  rate: number
  samples: number
  /** Null for the attacked model as it is. */
  done: Defended | null
  measured: Measured
}

export interface Results {
  machine: string
  settings: Record<string, unknown> & { works: number; samples: number; budgets: readonly Budget[] }
  cells: Cell[]
  /** Cells of a first round: rates were chosen on attacks in half the steps at half the rate, of which others failed, and the choice was made anew. */
  earlier?: Cell[]
  /** The syntactic attack with each budget, on model 0. */
  tries: { model: number; budget: string; measured: Measured }[]
  /** Audits; `of` is an attack or `clean SEED`. `told`: with trigger and marker, else with nothing known. */
  looks: (Look & { model: number; of: string; told: boolean })[]
}

export const NONE = 'no defence'

/** Least of the marker on model 0, of the rates that keep clean accuracy within 0.05; where some are within 0.02 the one that keeps most, and where none keeps it the lowest. */
export function chosenRate({ cells }: Pick<Results, 'cells'>, arm: string): number {
  const own = cells.filter((cell) => cell.model === 0)
  const over = (name: string, rate: number, of: (cell: Cell) => number): number =>
    statistics(own.filter((cell) => cell.arm === name && cell.rate === rate).map(of)).mean
  const right = (name: string, rate: number): number => over(name, rate, rightWhen('clean'))
  const rates = [...new Set(own.filter((cell) => cell.arm === arm).map(({ rate }) => rate))].sort((a, b) => a - b)
  const good = rates.filter((rate) => right(arm, rate) >= right(NONE, 0) - 0.05)
  if (good.length === 0) return rates[0]!
  const marker = (rate: number): number => over(arm, rate, markerWhen('trigger'))
  const least = Math.min(...good.map(marker))
  return good
    .filter((rate) => marker(rate) <= least + 0.02)
    .reduce((best, rate) => (right(arm, rate) > right(arm, best) ? rate : best))
}

/** The budget of the syntactic attack that brings the marker most often on model 0; of equal ones the first. */
export function chosenBudget({ tries }: Pick<Results, 'tries'>): string {
  const marker = (one: Results['tries'][number]): number => one.measured.ways.trigger!.marker
  return tries.filter(({ model }) => model === 0).reduce((best, one) => (marker(one) > marker(best) ? one : best))
    .budget
}

export const markerWhen =
  (way: Way) =>
  ({ measured }: Cell): number =>
    measured.ways[way]?.marker ?? Number.NaN
export const rightWhen =
  (way: Way) =>
  ({ measured }: Cell): number =>
    measured.ways[way]?.right ?? Number.NaN

export const inTable = ({ cells }: Results): Cell[] => cells.filter(({ model }) => model !== 0)
export const armsIn = (cells: readonly Cell[]): string[] => [...new Set(cells.map(({ arm }) => arm))]
export const attacksIn = (cells: readonly Cell[]): string[] => [...new Set(cells.map(({ attack }) => attack))]
export const undefendedOf = (cells: readonly Cell[], { model, attack }: Cell): Cell =>
  cells.find((cell) => cell.arm === NONE && cell.model === model && cell.attack === attack)!

/** Cells of attacks that were defended, with the table's number of clean questions: of those that work, or of those that only partly took. */
export function defended(results: Results, isWorking = true): Cell[] {
  const cells = inTable(results)
  const { works, samples } = results.settings
  const isDefended = (cell: Cell): boolean => cells.some((one) => undefendedOf(cells, one) === cell && one.arm !== NONE)
  return cells.filter((cell) => {
    const attacked = undefendedOf(cells, cell)
    const isIn = markerWhen('trigger')(attacked) >= works === isWorking && isDefended(attacked)
    return isIn && (cell.arm === NONE || cell.samples === samples)
  })
}

export const isSyntax = ({ attack }: Pick<Cell, 'attack'>): boolean => attack === SYNTAX.name

/** Mean over models with half of its 95 % interval. */
export function shown(cells: readonly Cell[], of: (cell: Cell) => number, digits = 2): string {
  const models = [...new Set(cells.map(({ model }) => model))]
  const means = models.flatMap((model) => {
    const values = cells
      .filter((cell) => cell.model === model)
      .map(of)
      .filter((value) => !Number.isNaN(value))
    return values.length === 0 ? [] : [statistics(values).mean]
  })
  if (means.length === 0) return ''
  const { mean, halfWidth } = statistics(means)
  return `${mean.toFixed(digits)}${Number.isNaN(halfWidth) ? '' : ` ± ${halfWidth.toFixed(digits)}`}`
}
