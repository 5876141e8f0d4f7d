// Task and group files of lm-evaluation-harness as they stand: YAML 1.1 as PyYAML reads it, `include`, groups, and `!function`, which is
// taken where we have written it again (functions.ts) and refused by name where not.

import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ScalarTag } from 'yaml'
import { ConfigError } from '../errors.ts'
import { readBounded } from '../files/bounded-read.ts'
import { FUNCTIONS } from './functions.ts'
import { parsePyYaml } from './py-yaml.ts'
import { checkTaskConfig, type GroupConfig, type TaskConfig } from './task-config.ts'

const MAX_BYTES = 1 << 20

/** A task or a group, as a file says. */
export type TaskFile = TaskConfig | GroupConfig

/** What a `!function` is until it is known to be wanted. */
class NamedFunction {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

const FUNCTION_TAG: ScalarTag = {
  tag: '!function',
  identify: (value) => value instanceof NamedFunction,
  resolve: (name) => new NamedFunction(name),
}

/** Whether something is a group and not a task. */
export function isGroup(config: TaskFile): config is GroupConfig {
  return 'group' in config
}

/** Reads a `.yaml` file, or a `.ts` or `.js` module whose default export is a task or a group. ConfigError names file and key. */
export async function readTaskFile(file: string): Promise<TaskFile> {
  if (!existsSync(file)) throw new ConfigError(`${file}: expected a task file, got nothing. Check the path`)
  if (/\.[cm]?[jt]s$/.test(file)) return fromModule(file)
  const raw = withIncludes(resolve(file), [])
  if (raw.group !== undefined && Array.isArray(raw.task)) return groupOf(raw, file)
  return taskOf(raw, file)
}

async function fromModule(file: string): Promise<TaskFile> {
  let loaded: { default?: unknown }
  try {
    loaded = await import(pathToFileURL(resolve(file)).href)
  } catch (cause) {
    throw new ConfigError(`${file}: expected a module that can be loaded, got ${(cause as Error).message}`, undefined, {
      cause,
    })
  }
  const { default: config } = loaded
  if (typeof config !== 'object' || config === null)
    throw new ConfigError(`${file}: expected a task as its default export, got ${typeof config}`)
  return 'group' in config ? (config as GroupConfig) : checkTaskConfig(config as Record<string, unknown>, file)
}

function taskOf(raw: Readonly<Record<string, unknown>>, file: string): TaskConfig {
  return checkTaskConfig(withFunctions(raw, file, ''), file)
}

function groupOf(raw: Readonly<Record<string, unknown>>, file: string): GroupConfig {
  const { group, group_alias, task, aggregate_metric_list, metadata, tag: _, ...overrides } = raw
  if (typeof group !== 'string')
    throw new ConfigError(`group in ${file}: expected a name, got ${JSON.stringify(group)}`)
  const members = (task as readonly unknown[]).map((member): string | TaskConfig | GroupConfig => {
    if (typeof member === 'string') return memberOf(member, file, overrides)
    if (typeof member !== 'object' || member === null)
      throw new ConfigError(`task in ${file}: expected names, tasks and groups, got ${JSON.stringify(member)}`)
    const own = member as Record<string, unknown>
    if ('group' in own) return groupOf({ ...overrides, ...own, group: `${group}::${String(own.group)}` }, file)
    const base = typeof own.task === 'string' ? memberOf(own.task, file, { ...overrides, ...own }) : own.task
    return typeof base === 'string'
      ? taskOf({ ...overrides, ...own, task: `${group}::${base}` }, file)
      : (base as TaskConfig)
  })
  return {
    group,
    task: members,
    ...(typeof group_alias === 'string' && { group_alias }),
    ...(Array.isArray(aggregate_metric_list) && { aggregate_metric_list }),
    ...(typeof metadata === 'object' && metadata !== null && { metadata: metadata as Record<string, unknown> }),
  }
}

/** A name in a group: the file of that name beside it, or a name that whoever reads the group knows. */
function memberOf(
  name: string,
  file: string,
  overrides: Readonly<Record<string, unknown>>,
): string | TaskConfig | GroupConfig {
  const beside = [name, `${name}.yaml`, `${name}.yml`]
    .map((path) => join(dirname(file), path))
    .find((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
  if (beside === undefined) return name
  const raw = withIncludes(resolve(beside), [])
  if (raw.group !== undefined && Array.isArray(raw.task)) return groupOf(raw, beside)
  return taskOf({ ...raw, ...overrides, task: raw.task }, beside)
}

/** A file's keys over those of the files that it includes. `read` has what was read already: files may include one another manifold. */
function withIncludes(
  file: string,
  around: readonly string[],
  read: Map<string, Record<string, unknown>> = new Map(),
): Record<string, unknown> {
  if (around.includes(file))
    throw new ConfigError(`include in ${file}: expected other files, got one that includes itself`)
  const known = read.get(file)
  if (known !== undefined) return known
  const { include, ...own } = readYamlFile(file)
  const files = include === undefined || include === null ? [] : [include].flat()
  const bases = files.map((path) => {
    if (typeof path !== 'string')
      throw new ConfigError(`include in ${file}: expected a path, got ${JSON.stringify(path)}`)
    const full = join(dirname(file), path)
    if (!existsSync(full))
      throw new ConfigError(`include in ${file}: expected a file, got '${path}', which is not there`)
    return withIncludes(full, [...around, file], read)
  })
  const all: Record<string, unknown> = Object.assign({}, ...bases, own)
  read.set(file, all)
  return all
}

function readYamlFile(file: string): Record<string, unknown> {
  const value = parsePyYaml(readBounded(file, MAX_BYTES).toString('utf8'), file, [FUNCTION_TAG])
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigError(`${file}: expected lines of \`key: value\`, got something else`)
  // A function remembers the file that names it: an included one may lie in another folder.
  return marked(value, basename(dirname(file))) as Record<string, unknown>
}

function marked(value: unknown, folder: string): unknown {
  if (value instanceof NamedFunction) return new NamedFunction(`${folder}/${value.name}`)
  if (Array.isArray(value)) return value.map((item) => marked(item, folder))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, marked(item, folder)]))
}

/** The functions that are named, in their places. */
function withFunctions(value: Readonly<Record<string, unknown>>, file: string, path: string): Record<string, unknown> {
  const put = (item: unknown, at: string): unknown => {
    if (item instanceof NamedFunction) {
      const known = FUNCTIONS.get(item.name)
      if (known !== undefined) return known
      throw new ConfigError(
        `${at} in ${file}: expected a template or a function that is written here (${[...FUNCTIONS.keys()].join(', ')}), got !function ${item.name}. ` +
          'Python is not run: write the task as a TypeScript file',
      )
    }
    if (Array.isArray(item)) return item.map((entry, i) => put(entry, `${at}[${i}]`))
    if (typeof item !== 'object' || item === null || item instanceof Date) return item
    return withFunctions(item as Record<string, unknown>, file, `${at}.`)
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, put(item, path + key)]))
}
