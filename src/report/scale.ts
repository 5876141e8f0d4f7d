// Axes: which values a plot covers, where its ticks stand, what they are called, and value → position.

export interface Tick {
  value: number
  label: string
}

export interface Scale {
  /** Lowest and highest value shown. */
  domain: readonly [number, number]
  ticks: readonly Tick[]
  /** Value → fraction of the axis, 0 at the low end. */
  fraction(value: number): number
}

export interface ScaleOptions {
  /** Logarithmic where every value is positive, else linear. */
  log?: boolean
  /** Ends the axis on ticks instead of on the data. */
  nice?: boolean
  /** Space at both ends, as a fraction of the span of the data. */
  margin?: number
  /** About how many ticks. */
  ticks?: number
  /** Ticks on whole numbers only: for things that are counted, such as steps and blocks. */
  whole?: boolean
}

// Beyond this a difference of two values may be infinite.
const LARGEST = 1e300
const LETTERS = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const
/** From here on a number is written with a letter, until it has too many digits for one. */
const [LEAST_LETTERED, LARGEST_LETTERED] = [1e4, 1e15]
/** Smaller numbers are written with a power of ten. */
const LEAST_FIXED = 1e-4
// Closer values are one value: ticks between them could not be told apart.
const CLOSEST = 1e-9

/** A scale that covers `values`; those that are not finite are left out. Never empty: no values give 0 … 1. */
export function createScale(
  values: Iterable<number>,
  { log = false, nice = false, margin = 0, ticks = 5, whole = false }: ScaleOptions = {},
): Scale {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    if (!(Math.abs(value) < LARGEST)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (low > high) [low, high] = [0, 1]
  if (log && low > 1 / LARGEST && high > low * (1 + CLOSEST)) {
    const factor = (high / low) ** margin
    return logScale(low / factor, high * factor, ticks)
  }
  if (high - low <= CLOSEST * Math.max(Math.abs(low), Math.abs(high), 1 / LARGEST))
    [low, high] = widened((low + high) / 2)
  const space = margin * (high - low)
  // An axis that may choose its ends does not show amounts below zero where there are none.
  const end = (value: number, moved: number): number => (nice && Math.sign(value) !== Math.sign(moved) ? 0 : moved)
  ;[low, high] = [end(low, low - space), end(high, high + space)]
  return linearScale(low, high, nice, ticks, whole ? 1 : 0)
}

/** A step of 1, 2 or 5 times a power of ten that cuts `span` into about `parts`. */
export function niceStep(span: number, parts: number): number {
  const rough = span / Math.max(1, parts)
  const power = 10 ** Math.floor(Math.log10(rough))
  const digit = rough / power
  return power * (digit <= Math.SQRT2 ? 1 : digit <= Math.sqrt(10) ? 2 : digit <= Math.sqrt(50) ? 5 : 10)
}

/** A number for people: `1,250`, `12k`, `3.4M`, `2e-5`; `step` says how many decimals tell neighbours apart. */
export function formatNumber(value: number, step: number = Math.abs(value) / 1000): string {
  const size = Math.abs(value)
  if (value === 0) return '0'
  if (!Number.isFinite(value)) return String(value)
  if (size >= LARGEST_LETTERED || size < LEAST_FIXED)
    return trimmed(value.toExponential(decimals(step / 10 ** exponentOf(size))))
  const [unit, letter] = LETTERS.find(([least]) => size >= least && size >= LEAST_LETTERED) ?? [1, '']
  const text = trimmed((value / unit).toFixed(decimals(step / unit)))
  return unit === 1 ? grouped(text) : `${text}${letter}`
}

function linearScale(low: number, high: number, nice: boolean, count: number, leastStep = 0): Scale {
  const step = Math.max(leastStep, niceStep(high - low, count))
  // A hair of tolerance, so that 0.3 counts as 3 × 0.1.
  const first = nice ? Math.floor(low / step + 1e-9) : Math.ceil(low / step - 1e-9)
  const last = nice ? Math.ceil(high / step - 1e-9) : Math.floor(high / step + 1e-9)
  const ticks: Tick[] = []
  for (let index = first; index <= last; index++) {
    ticks.push({ value: cleaned(index * step), label: '' })
  }
  labelAlike(ticks, step)
  const domain = nice ? ([ticks[0]!.value, ticks.at(-1)!.value] as const) : ([low, high] as const)
  return { domain, ticks, fraction: (value) => (value - domain[0]) / (domain[1] - domain[0]) }
}

// One axis, one notation and as many decimals on every label: 0.15, 0.10, 0.05; 9k, 10k.
function labelAlike(ticks: readonly Tick[], step: number): void {
  const size = Math.max(...ticks.map(({ value }) => Math.abs(value)))
  const [divisor, letter] = LETTERS.find(([unit]) => size >= unit && size >= LEAST_LETTERED) ?? [1, '']
  for (const tick of ticks) {
    const isPlain = size >= LEAST_FIXED && size < LARGEST_LETTERED && tick.value !== 0
    const text = isPlain ? (tick.value / divisor).toFixed(decimals(step / divisor)) : formatNumber(tick.value, step)
    tick.label = isPlain ? `${divisor === 1 ? grouped(text) : text}${letter}` : text
  }
}

function logScale(low: number, high: number, count: number): Scale {
  const [from, to] = [Math.log10(low), Math.log10(high)]
  return {
    domain: [low, high],
    ticks: logTicks(low, high, count),
    fraction: (value) => (Math.log10(value) - from) / (to - from),
  }
}

// The coarsest of: every n-th power of ten, 1-2-5, all digits, an ordinary axis — that shows at least three ticks.
function logTicks(low: number, high: number, count: number): Tick[] {
  const [first, last] = [exponentOf(low), exponentOf(high)]
  for (const digits of [[1], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const every = digits.length === 1 ? Math.max(1, Math.ceil((last - first) / (2 * count))) : 1
    const ticks: Tick[] = []
    for (let exponent = first; exponent <= last; exponent += every) {
      for (const digit of digits) {
        const value = cleaned(digit * 10 ** exponent)
        const isInside = value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)
        if (isInside) ticks.push({ value, label: formatNumber(value, 10 ** exponent) })
      }
    }
    if (ticks.length < 3) continue
    // One notation for all powers of an axis.
    const isSmall = ticks[0]!.value < LEAST_FIXED
    if (isSmall) for (const tick of ticks) if (tick.value < 1) tick.label = trimmed(tick.value.toExponential())
    return ticks
  }
  return [...linearScale(low, high, false, count).ticks]
}

function widened(value: number): [number, number] {
  const margin = Math.abs(value) < 1 / LARGEST ? 1 : Math.abs(value) * 0.1
  return [value - margin, value + margin]
}

function exponentOf(size: number): number {
  return Math.floor(Math.log10(size) + 1e-9)
}

function decimals(step: number): number {
  return Math.min(12, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))
}

// 3 × 0.1 is 0.30000000000000004.
function cleaned(value: number): number {
  return Number(value.toPrecision(12))
}

function grouped(text: string): string {
  return text.replace(/^(-?\d)(?=\d{3}(?:\.|$))/, '$1,')
}

function trimmed(text: string): string {
  return text
    .replace(/(\.\d*?)0+(?=e|$)/, '$1')
    .replace(/\.(?=e|$)/, '')
    .replace('e+', 'e')
}
