// Groups of tasks: the means of their metrics, weighted by documents or not, with the standard error that belongs to them.

import type { GroupConfig, GroupMetric } from './task-config.ts'

/** Numbers of a task or group: `"acc,none": 0.5, "acc_stderr,none": 0.1, alias, sample_len`. */
export type Metrics = Readonly<Record<string, unknown>>

/** A group with the tasks below it. */
export interface Group {
  config: GroupConfig
  /** Names of the tasks and groups that it lists. */
  children: readonly string[]
  /** Names of all tasks in it and in its groups. */
  tasks: readonly string[]
}

/** The numbers of a group from those of its tasks. */
export function groupMetrics({ config, tasks }: Group, of: ReadonlyMap<string, Metrics>): Metrics {
  const alias = { alias: config.group_alias ?? config.group, name: config.group }
  const metrics = config.aggregate_metric_list ?? []
  if (metrics.length === 0) return alias
  const results = tasks.map((name) => of.get(name)).filter((result) => result !== undefined)
  const found: Record<string, unknown> = {
    ...alias,
    sample_len: results.reduce((sum, result) => sum + Number(result.sample_len ?? 0), 0),
  }
  for (const metric of metrics) {
    for (const filter of filtersOf(metric, results)) Object.assign(found, meanOf(metric, filter, results))
  }
  return found
}

function filtersOf({ metric, filter_list: listed }: GroupMetric, results: readonly Metrics[]): readonly string[] {
  if (typeof listed === 'string') return [listed]
  if (listed !== undefined && listed !== null) return listed
  const keys = results.flatMap((result) => Object.keys(result)).filter((key) => key.startsWith(`${metric},`))
  return [...new Set(keys.map((key) => key.slice(metric.length + 1)))].sort()
}

function meanOf(
  { metric, weight_by_size: isWeighted = true }: GroupMetric,
  filter: string,
  results: readonly Metrics[],
): Metrics {
  const [key, errorKey] = [`${metric},${filter}`, `${metric}_stderr,${filter}`]
  const having = results.filter((result) => typeof result[key] === 'number')
  if (having.length === 0) return {}
  const sizes = having.map(({ sample_len: size }) => Number(size))
  const weights = isWeighted ? sizes : sizes.map(() => 1)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const mean = having.reduce((sum, result, i) => sum + (result[key] as number) * weights[i]!, 0) / total
  const errors = having.map((result) => result[errorKey])
  const areKnown = errors.every((error): error is number => typeof error === 'number')
  return { [key]: mean, [errorKey]: areKnown ? errorOf(errors as number[], sizes, isWeighted) : 'N/A' }
}

function errorOf(errors: readonly number[], sizes: readonly number[], isWeighted: boolean): number {
  if (!isWeighted) return Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0)) / errors.length
  const all = sizes.reduce((sum, size) => sum + size, 0)
  const pooled =
    errors.reduce((sum, error, i) => sum + (sizes[i]! - 1) * error ** 2 * sizes[i]!, 0) / (all - sizes.length)
  return Math.sqrt(pooled / all)
}
