// The names and files that a user gives → tasks, and the groups that they stand in.

import { existsSync } from 'node:fs'
import { ConfigError, UsageError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import type { Group } from './groups.ts'
import { isGroup, readTaskFile, type TaskFile } from './read-task.ts'
import type { GroupConfig, TaskConfig } from './task-config.ts'
import { BUILT_IN } from './tasks/built-in.ts'
import type { SuiteOptions } from './tasks/suite-options.ts'

/** Tasks in the order in which they are named, each once, and groups with the inner ones first. */
export interface FoundTasks {
  tasks: TaskConfig[]
  groups: Group[]
}

/**
 * Finds tasks by the names of built-in ones and the paths of files. UsageError where a name is neither.
 *
 * @example
 * const { tasks } = await findTasks(['arithmetic', 'my-task.yaml'])
 */
export async function findTasks(names: readonly string[], options: SuiteOptions = {}): Promise<FoundTasks> {
  const found: FoundTasks = { tasks: [], groups: [] }
  for (const name of names) await add(await find(name, options), found, options)
  const seen = new Map<string, TaskConfig>()
  for (const task of found.tasks) {
    const known = seen.get(task.task)
    if (known !== undefined && known !== task && JSON.stringify(known) !== JSON.stringify(task))
      throw new ConfigError(
        `tasks: expected every task to have a name of its own, got two that are called ${task.task}`,
      )
    if (known === undefined) seen.set(task.task, task)
  }
  return { tasks: [...seen.values()], groups: found.groups }
}

async function find(name: string, options: SuiteOptions, group?: string): Promise<TaskFile> {
  const where = group === undefined ? 'tasks' : `task of group ${group}`
  if (/\.(?:ya?ml|[cm]?[jt]s)$/i.test(name)) return readTaskFile(name)
  const make = BUILT_IN.get(name)
  if (make !== undefined) return make(options)
  if (existsSync(name))
    throw new UsageError(
      `${where}: expected a name ending in .yaml, .ts or .js, got the file '${name}'. Rename it after what it holds`,
    )
  const whole = [...BUILT_IN.keys()].find((known) => name.startsWith(`${known}_`))
  const hint =
    whole === undefined ? didYouMean(name, BUILT_IN.keys()) : ` Tasks of a group are asked with all of it: ${whole}`
  throw new UsageError(
    `${where}: expected a task file or one of ${[...BUILT_IN.keys()].join(', ')}, got '${name}'.${hint || ' A task of your own is named by its file'}`,
  )
}

/** Adds a task, or a group with all below it; gives the names of its tasks. */
async function add(
  config: TaskFile,
  found: FoundTasks,
  options: SuiteOptions,
): Promise<{ name: string; tasks: string[] }> {
  if (!isGroup(config)) {
    found.tasks.push(config)
    return { name: config.task, tasks: [config.task] }
  }
  checkGroup(config)
  const members: { name: string; tasks: string[] }[] = []
  for (const member of config.task)
    members.push(
      await add(typeof member === 'string' ? await find(member, options, config.group) : member, found, options),
    )
  const tasks = [...new Set(members.flatMap((member) => member.tasks))]
  found.groups.push({ config, children: members.map(({ name }) => name), tasks })
  return { name: config.group, tasks }
}

function checkGroup({ group, aggregate_metric_list: metrics = [] }: GroupConfig): void {
  for (const { metric, aggregation = 'mean' } of metrics) {
    if (typeof metric !== 'string')
      throw new ConfigError(`aggregate_metric_list of group ${group}: expected a metric's name`)
    if (aggregation !== 'mean')
      throw new ConfigError(`aggregate_metric_list of group ${group}: aggregation: expected mean, got '${aggregation}'`)
  }
}
