// Rank correlation with a p-value of its own: how often chance orders so few values as well as they stand.
import { ranksOf } from '../../data/ranks.ts'
import { InputError } from '../../errors.ts'
import { twoSidedP } from '../metrics/student-t.ts'

/** A correlation and how sure it is. */
export interface Correlation {
  /** −1 to 1. */
  rho: number
  /** Two-sided. */
  p: number
  /** Pairs of values. */
  n: number
  /** `exact`: over all orders; `t`: by Student's t with n − 2 degrees of freedom, and one less for each covariate. */
  test: 'exact' | 't'
}

/** So many values have 362,880 orders. */
const MOST_EXACT = 9
const LEAST = 3

/**
 * Spearman's ρ: Pearson's correlation of the ranks, values that are equal sharing the mean of theirs. Up to nine pairs p is exact, the share of
 * all orders of `y` with a |ρ| at least as large; above, it is by Student's t, as SciPy has it for every n. InputError for fewer than three pairs,
 * numbers that are not finite, and a column that is the same throughout.
 */
export function spearman(
  x: readonly number[],
  y: readonly number[],
  names: readonly [string, string] = ['x', 'y'],
): Correlation {
  check([x, y], names)
  const [a, b] = [centred(ranksOf(x)), centred(ranksOf(y))]
  const n = x.length
  const rho = cosine(a, b)
  if (n <= MOST_EXACT) return { rho, p: exactP(a, b), n, test: 'exact' }
  return { rho, p: byStudent(rho, n - 2), n, test: 't' }
}

/**
 * Spearman's ρ of what is left of both when the covariates are taken out: of a column of numbers, what follows its ranks; of a column of names, such
 * as languages, the mean of each. p by Student's t. InputError where that leaves no degree of freedom, or nothing of a column.
 */
export function partialSpearman(
  x: readonly number[],
  y: readonly number[],
  covariates: readonly (readonly number[] | readonly string[])[],
  names: readonly [string, string] = ['x', 'y'],
): Correlation {
  check([x, y], names)
  const wrong = covariates.find((column) => column.length !== x.length)
  if (wrong !== undefined)
    throw new InputError(`correlation: expected ${x.length} values of every covariate, got ${wrong.length}`)
  const basis: number[][] = []
  for (const column of covariates.flatMap(columnsOf)) {
    const left = withoutBasis(centred(column), basis)
    const size = Math.sqrt(product(left, left))
    if (size > 1e-9 * Math.sqrt(column.length)) basis.push(left.map((value) => value / size))
  }
  const degrees = x.length - 2 - basis.length
  if (degrees < 1)
    throw new InputError(
      `correlation of ${names.join(' and ')}: expected more pairs than the covariates take (${basis.length + 2}), got ${x.length}. Give more, or fewer covariates`,
    )
  const rest = [x, y].map((values, i) => {
    const whole = centred(ranksOf(values))
    const left = withoutBasis(whole, basis)
    if (product(left, left) > 1e-9 * product(whole, whole)) return left
    throw new InputError(
      `correlation: expected ${names[i]} to differ beside the covariates, got values that they settle. Leave those covariates out`,
    )
  })
  const rho = cosine(rest[0]!, rest[1]!)
  return { rho, p: byStudent(rho, degrees), n: x.length, test: 't' }
}

function check(columns: readonly (readonly number[])[], names: readonly [string, string]): void {
  const what = `correlation of ${names.join(' and ')}`
  const [x, y] = columns
  if (x!.length !== y!.length)
    throw new InputError(`${what}: expected as many values of both, got ${x!.length} and ${y!.length}`)
  if (x!.length < LEAST)
    throw new InputError(`${what}: expected at least ${LEAST} pairs, got ${x!.length}. Measure more languages`)
  for (const [i, column] of columns.entries()) {
    const wrong = column.find((value) => !Number.isFinite(value))
    if (wrong !== undefined) throw new InputError(`${what}: expected finite numbers of ${names[i]}, got ${wrong}`)
    if (column.every((value) => value === column[0]))
      throw new InputError(
        `${what}: expected values of ${names[i]} that differ, got ${column[0]} throughout. There is nothing to correlate with`,
      )
  }
}

function columnsOf(column: readonly number[] | readonly string[]): number[][] {
  if (column.every((value): value is number => typeof value === 'number')) return [ranksOf(column)]
  return [...new Set(column)].map((name) => column.map((value) => (value === name ? 1 : 0)))
}

function centred(values: readonly number[]): number[] {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return values.map((value) => value - mean)
}

/** What is left of `values` beside vectors of length 1 that stand at right angles. */
function withoutBasis(values: readonly number[], basis: readonly (readonly number[])[]): number[] {
  return basis.reduce<number[]>(
    (left, axis) => {
      const share = product(left, axis)
      return left.map((value, i) => value - share * axis[i]!)
    },
    [...values],
  )
}

const product = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0)

function cosine(a: readonly number[], b: readonly number[]): number {
  return Math.max(-1, Math.min(1, product(a, b) / Math.sqrt(product(a, a) * product(b, b))))
}

function byStudent(rho: number, degrees: number): number {
  return twoSidedP(rho * Math.sqrt(degrees / ((1 - rho) * (1 + rho))), degrees)
}

/** Over all orders of `b` (Heap's algorithm, each by one exchange): the share whose product with `a` is at least as far from zero. */
function exactP(a: readonly number[], b: readonly number[]): number {
  const order = [...b]
  const n = order.length
  const counters = new Array<number>(n).fill(0)
  const least = Math.abs(product(a, b)) - 1e-9
  let orders = 1
  let far = 1
  let sum = product(a, order)
  for (let i = 1; i < n; ) {
    if (counters[i]! >= i) {
      counters[i++] = 0
      continue
    }
    const j = i % 2 === 0 ? 0 : counters[i]!
    sum += (a[i]! - a[j]!) * (order[j]! - order[i]!)
    ;[order[i], order[j]] = [order[j]!, order[i]!]
    orders++
    if (Math.abs(sum) >= least) far++
    counters[i]!++
    i = 1
  }
  return far / orders
}
