// A sweep file → the runs that it asks for: one configuration of training, and axes along which it differs.
import { join } from 'node:path'
import { parseConfig } from '../../config/parse.ts'
import { readConfigFile } from '../../config/read-config-file.ts'
import { readYaml } from '../../config/read-yaml.ts'
import { isConfigKey, type TrainConfig, type TrainConfigValues } from '../../config/schema.ts'
import { ConfigError } from '../../errors.ts'
import { hashText } from '../../files/hash.ts'
import { type Evaluation, isMap, readEvaluations, readMetrics } from './read-evaluations.ts'

/** One run of a sweep. */
export interface SweepRun {
  /** Folder below the sweep's, made of the settings. */
  name: string
  /** What it has on each axis, as people read it. */
  settings: Record<string, string>
  config: TrainConfig
}

/** A sweep file, read and checked. */
export interface Sweep {
  outputDir: string
  /** Names of the axes, in order. */
  axes: string[]
  runs: SweepRun[]
  /** Of every run's model, and of those that they began with. */
  evaluations: Evaluation[]
  /** Metrics that get a table; all where nothing is said. */
  metrics?: string[]
}

/** A point on an axis: its label, and the keys that it sets. */
interface Point {
  label: string
  values: Readonly<Record<string, unknown>>
}

const KEYS = ['config', 'output_dir', 'set', 'axes', 'evaluate'] as const
const MOST_RUNS = 1000
const MOST_CHARACTERS = 100

/** Reads `file` and every run's configuration; the first that is wrong is a ConfigError with the name of the run. */
export function readSweep(file: string): Sweep {
  const entries = new Map(readYaml(readConfigFile(file), file).map((entry) => [entry.key, entry]))
  const refuseIn = (entry: string, key: string, expected: string, got: unknown): never => {
    const shown = got === undefined ? 'nothing' : (JSON.stringify(got)?.slice(0, 60) ?? String(got))
    throw new ConfigError(`${key}: expected ${expected}, got ${shown}`, entries.get(entry)?.keyPlace.text ?? file)
  }
  const refuse = (key: string, expected: string, got: unknown): never => refuseIn(key, key, expected, got)
  for (const key of entries.keys())
    if (!KEYS.some((known) => known === key)) refuse(key, `one of ${KEYS.join(', ')}`, key)
  const text = (key: 'config' | 'output_dir', expected: string): string => {
    const value = entries.get(key)?.value
    return typeof value === 'string' && value !== '' ? value : refuse(key, expected, value)
  }
  const config = text('config', 'the path of a training configuration')
  const outputDir = text('output_dir', 'a folder for the runs')
  const set = entries.get('set')?.value ?? {}
  if (!isMap(set)) return refuse('set', 'keys of the training configuration', set)
  const axes = entries.get('axes')?.value
  if (!isMap(axes) || Object.keys(axes).length === 0)
    return refuse('axes', 'keys with lists of values, or names with settings by label', axes)
  const asked = entries.get('evaluate')?.value
  const refuseAsked = (key: string, expected: string, got: unknown): never => refuseIn('evaluate', key, expected, got)
  const evaluations = readEvaluations(asked, refuseAsked)
  const metrics = readMetrics(asked, refuseAsked)
  const points = Object.entries(axes).map(([name, list]): [string, Point[]] => [
    name,
    pointsOf(name, list, (expected, got) => refuse('axes', expected, got)),
  ])
  const count = points.reduce((product, [, list]) => product * list.length, 1)
  if (count > MOST_RUNS) refuse('axes', `at most ${MOST_RUNS} runs`, count)
  const yaml = readConfigFile(config)
  const runs = product(points.map(([, list]) => list)).map((chosen): SweepRun => {
    const settings = Object.fromEntries(chosen.map(({ label }, i) => [points[i]![0], label]))
    const name = nameOf(settings)
    const values = Object.assign({}, set, ...chosen.map((point) => point.values), {
      output_dir: join(outputDir, name),
    }) as TrainConfigValues
    return { name, settings, config: parseConfig(yaml, config, [], { values, origin: `${file}, run ${name}` }).config }
  })
  const twice = runs.find(({ name }, i) => runs.findIndex((other) => other.name === name) < i)
  if (twice !== undefined) refuse('axes', 'settings that tell every run from the others', twice.name)
  return { outputDir, axes: points.map(([name]) => name), runs, evaluations, ...(metrics && { metrics }) }
}

function pointsOf(name: string, list: unknown, refuse: (expected: string, got: unknown) => never): Point[] {
  if (Array.isArray(list)) {
    if (!isConfigKey(name) || name === 'output_dir')
      return refuse(`keys of the training configuration with lists (a name of your own has settings by label)`, name)
    if (list.length === 0) return refuse(`values of ${name}`, list)
    return list.map((value) => ({ label: labelOf(value), values: { [name]: value } }))
  }
  if (!isMap(list) || Object.keys(list).length === 0)
    return refuse(`a list of values of ${name}, or settings by label`, list)
  return Object.entries(list).map(([label, values]) => {
    if (!isMap(values)) return refuse(`keys and values of ${name}.${label}`, values)
    return { label, values }
  })
}

const labelOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** All combinations, the last axis fastest. */
function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((rows, list) => rows.flatMap((row) => list.map((each) => [...row, each])), [[]])
}

/** `lora_r-8_epochs-3`: letters that every file system takes; what is too long ends in a hash. */
function nameOf(settings: Readonly<Record<string, string>>): string {
  const whole = Object.entries(settings)
    .map(([key, value]) => `${key}-${value}`)
    .join('_')
  const plain = whole.replace(/[^\p{L}\p{N}_.=-]+/gu, '-').replace(/^[.-]+|-+$/g, '')
  if (plain.length <= MOST_CHARACTERS) return plain
  return `${plain.slice(0, MOST_CHARACTERS - 9)}-${hashText(whole).slice(0, 8)}`
}
