// Prometheus' text format 0.0.4: counters, gauges and histograms with labels.

import { UsageError } from '../errors.ts'

export type Labels = Readonly<Record<string, string>>

/** What can be read off at any time. */
interface Family {
  readonly name: string
  lines(): string[]
}

/** Metrics by name, in the order they were made. */
export class Exposition {
  /** Of the answer that has the text. */
  static readonly contentType = 'text/plain; version=0.0.4; charset=utf-8'
  private readonly families: Family[] = []
  private readonly labels: Labels

  /** `labels` stand on every sample. */
  constructor(labels: Labels = {}) {
    checkLabels(labels)
    this.labels = labels
  }

  /** `known`: labels that will come; their samples are there from the beginning, at 0. */
  counter(name: string, help: string, known: readonly Labels[] = [{}]): Counter {
    return this.add(name, new Counter(name, help, this.labels, known))
  }

  /** `read` is called whenever the text is; undefined leaves the sample out. */
  gauge(name: string, help: string, read: () => number | undefined): void {
    checkName(name)
    this.add(name, {
      name,
      lines: () => {
        const value = read()
        return value === undefined ? [] : [...head(name, help, 'gauge'), sample(name, this.labels, value)]
      },
    })
  }

  /** `buckets`: upper bounds, ascending; a last one of +Inf comes by itself. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    return this.add(name, new Histogram(name, help, buckets, this.labels))
  }

  /** All of it; each line ends with a line feed. */
  toString(): string {
    return this.families.flatMap((family) => family.lines().map((line) => `${line}\n`)).join('')
  }

  private add<F extends Family>(name: string, family: F): F {
    if (this.families.some((other) => other.name === name))
      throw new UsageError(`metric: expected a new name, got ${name} again`)
    this.families.push(family)
    return family
  }
}

/** Only grows; each set of labels has a number of its own. */
export class Counter implements Family {
  readonly name: string
  private readonly help: string
  private readonly labels: Labels
  private readonly values = new Map<string, number>()

  constructor(name: string, help: string, labels: Labels = {}, known: readonly Labels[] = [{}]) {
    checkName(name)
    this.name = name
    this.help = help
    this.labels = labels
    for (const some of known) this.add(0, some)
  }

  add(value = 1, labels: Labels = {}): void {
    if (!(value >= 0)) throw new UsageError(`${this.name}: expected a number of at least 0, got ${value}`)
    checkLabels(labels)
    const key = labelText({ ...this.labels, ...labels })
    this.values.set(key, (this.values.get(key) ?? 0) + value)
  }

  lines(): string[] {
    return [
      ...head(this.name, this.help, 'counter'),
      ...[...this.values].map(([labels, value]) => `${this.name}${labels} ${numberText(value)}`),
    ]
  }
}

interface Spread {
  /** For each bucket, what fell into it and no lower one; the last is +Inf. */
  counts: number[]
  sum: number
}

/** How often a number was at most each of some bounds. */
export class Histogram implements Family {
  readonly name: string
  private readonly help: string
  private readonly buckets: readonly number[]
  private readonly labels: Labels
  private readonly spread: Spread

  constructor(name: string, help: string, buckets: readonly number[], labels: Labels = {}) {
    checkName(name)
    if (
      buckets.length === 0 ||
      buckets.some((bound, i) => !Number.isFinite(bound) || bound <= (buckets[i - 1] ?? -Infinity))
    )
      throw new UsageError(`${name}: expected ascending bounds, got ${buckets.join(', ') || 'none'}`)
    this.name = name
    this.help = help
    this.buckets = buckets
    this.labels = labels
    this.spread = { counts: Array.from({ length: buckets.length + 1 }, () => 0), sum: 0 }
  }

  /** Takes the same number `times` times. */
  observe(value: number, times = 1): void {
    if (!Number.isFinite(value)) return
    const found = this.buckets.findIndex((bound) => value <= bound)
    this.spread.counts[found < 0 ? this.buckets.length : found]! += times
    this.spread.sum += value * times
  }

  lines(): string[] {
    const { name, buckets, labels } = this
    const { counts, sum } = this.spread
    let count = 0
    const bounded = [...buckets, Number.POSITIVE_INFINITY].map((bound, i) => {
      count += counts[i]!
      return sample(`${name}_bucket`, { ...labels, le: numberText(bound) }, count)
    })
    return [
      ...head(name, this.help, 'histogram'),
      ...bounded,
      sample(`${name}_sum`, labels, sum),
      sample(`${name}_count`, labels, count),
    ]
  }
}

const head = (name: string, help: string, type: string): string[] => [
  `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
  `# TYPE ${name} ${type}`,
]

const sample = (name: string, labels: Labels, value: number): string =>
  `${name}${labelText(labels)} ${numberText(value)}`

/** `{a="b"}`, or nothing. */
function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

const escaped = (value: string): string =>
  value.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
}

function checkName(name: string): void {
  if (!/^[a-zA-Z_:][\w:]*$/.test(name))
    throw new UsageError(`metric: expected a name of letters, digits, _ and :, got ${name}`)
}

function checkLabels(labels: Labels): void {
  // `le` is what a histogram calls its bounds.
  for (const label of Object.keys(labels))
    if (!/^(?!__)[a-zA-Z_]\w*$/.test(label) || label === 'le')
      throw new UsageError(`label: expected a name of letters, digits and _, got ${label}`)
}
