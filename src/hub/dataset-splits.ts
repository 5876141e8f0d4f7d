// Which files of a dataset belong to which split of which configuration: as the metadata block of its README says (`configs`), else by the
// names of files and folders, after the hub's conventions (huggingface.co/docs/hub/datasets-data-files-configuration).
import { InputError } from '../errors.ts'
import type { RepoFile } from './cache.ts'
import { metadataBlock, metadataFields } from './metadata-block.ts'

/** Configuration → split → paths in the repository, in the order in which they are read. */
export interface DatasetSplits {
  configs: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>
  /** The configuration that is meant where none is named; undefined where one has to be. */
  defaultConfig: string | undefined
}

/** Files of rows, as they are read here. */
const ROWS = /\.(?:parquet|(?:jsonl|ndjson|json|csv|tsv|txt)(?:\.(?:gz|zst))?)$/i
/** Beside the rows: descriptions of them, and what nobody means who names a dataset. */
const NO_ROWS =
  /^(?:README|LICENSE|NOTICE)\b|^(?:config|dataset_info|dataset_infos|dataset_dict)\.json$|^requirements\.txt$/i
const SHARD = /^data\/([^/]+?)-\d{5}-of-\d{5}[^/]*$/
/** What the hub's converter writes on the branch `refs/convert/parquet`. */
const CONVERTED = /^([^/]+)\/(?:partial-)?([^/]+)\/\d{4}\.parquet$/
const KEYWORDS: readonly [split: string, words: string][] = [
  ['train', 'train|training'],
  ['validation', 'validation|valid|dev|val'],
  ['test', 'test|testing|eval|evaluation'],
]
/** Longer than any pattern that says where files lie. */
const MAX_PATTERN = 500

/** Reads the splits of `files`; `readme` is the text of README.md. InputError, naming `subject`, for a metadata block that cannot be read. */
export function datasetSplits(files: readonly RepoFile[], readme: string | undefined, subject: string): DatasetSplits {
  const paths = files
    .map(({ path }) => path)
    .filter((path) => isVisible(path))
    .sort()
  const declared = readme === undefined ? [] : declaredConfigs(readme, subject)
  const configs = new Map<string, ReadonlyMap<string, readonly string[]>>()
  for (const { name, folder, patterns } of declared) {
    const own = paths.filter((path) => path.startsWith(folder))
    const splits = patterns === undefined ? byName(own, folder) : byPatterns(patterns, paths, folder)
    if (splits.size > 0) configs.set(name, splits)
  }
  if (declared.length === 0) for (const [name, splits] of undeclared(paths)) configs.set(name, splits)
  const named = declared.find(({ isDefault }) => isDefault)?.name ?? 'default'
  const only = configs.size === 1 ? [...configs.keys()][0] : undefined
  return { configs, defaultConfig: only ?? (configs.has(named) ? named : undefined) }
}

/** Whether a file of this name holds rows. */
export function holdsRows(path: string): boolean {
  return ROWS.test(path) && !NO_ROWS.test(path.slice(path.lastIndexOf('/') + 1))
}

interface DeclaredConfig {
  name: string
  /** `data/` or ''. */
  folder: string
  /** Split → patterns; undefined where names decide. */
  patterns: ReadonlyMap<string, readonly string[]> | undefined
  isDefault: boolean
}

function declaredConfigs(readme: string, subject: string): DeclaredConfig[] {
  const block = metadataBlock(readme)
  if (block === undefined) return []
  const wrong = (field: string, expected: string, got: unknown): InputError =>
    new InputError(
      `${subject}, README.md:${field}: expected ${expected}, got ${(JSON.stringify(got) ?? 'nothing').slice(0, 100)}. Name a file after :`,
    )
  let configs: unknown
  try {
    configs = metadataFields(block)?.configs
  } catch (error) {
    throw wrong('metadata', 'YAML', (error as Error).message.split('\n')[0])
  }
  if (configs === undefined || configs === null) return []
  if (!Array.isArray(configs)) throw wrong('configs', 'a list', configs)
  return configs.map((config: unknown, i) => {
    const { config_name, data_dir, data_files, default: isDefault } = (config ?? {}) as Record<string, unknown>
    const name = config_name ?? 'default'
    if (typeof name !== 'string') throw wrong(`configs[${i}].config_name`, 'a name', name)
    if (data_dir !== undefined && typeof data_dir !== 'string')
      throw wrong(`configs[${i}].data_dir`, 'a folder', data_dir)
    const folder = (data_dir ?? '').replace(/^(?:\.?\/)+|\/+$/g, '')
    const patterns = data_files == null ? undefined : patternsOf(data_files)
    if (data_files != null && patterns === undefined)
      throw wrong(`configs[${i}].data_files`, 'paths, or a list of {split, path}', data_files)
    return {
      name,
      folder: folder === '' || folder === '.' ? '' : `${folder}/`,
      patterns,
      isDefault: isDefault === true,
    }
  })
}

/** What `data_files` may be: a path, paths, or both by split. */
function patternsOf(declared: unknown): Map<string, string[]> | undefined {
  const isPath = (path: unknown): path is string => typeof path === 'string' && path.length <= MAX_PATTERN
  const asPaths = (value: unknown): string[] | undefined => {
    const list: unknown[] = Array.isArray(value) ? value : [value]
    return list.every(isPath) ? list : undefined
  }
  const all = asPaths(declared)
  if (all !== undefined) return new Map([['train', all]])
  const entries: unknown[] = Array.isArray(declared)
    ? declared
    : Object.entries(declared as object).map(([split, path]) => ({ split, path }))
  const bySplit = new Map<string, string[]>()
  for (const entry of entries) {
    const { split, path } = (entry ?? {}) as Record<string, unknown>
    const paths = asPaths(path)
    if (typeof split !== 'string' || paths === undefined) return undefined
    bySplit.set(split, [...(bySplit.get(split) ?? []), ...paths])
  }
  return bySplit
}

function byPatterns(
  patterns: ReadonlyMap<string, readonly string[]>,
  paths: readonly string[],
  folder: string,
): Map<string, string[]> {
  const splits = new Map<string, string[]>()
  for (const [split, own] of patterns) {
    const found = own.flatMap((pattern) => {
      const shape = globExpression(folder + pattern.replace(/^(?:\.\/)+/, ''))
      return paths.filter((path) => shape.test(path))
    })
    if (found.length > 0) splits.set(split, [...new Set(found)])
  }
  return splits
}

function undeclared(paths: readonly string[]): Map<string, Map<string, string[]>> {
  const rows = paths.filter(holdsRows)
  const converted = rows.map((path) => CONVERTED.exec(path))
  if (rows.length > 0 && converted.every((match) => match !== null)) {
    const configs = new Map<string, Map<string, string[]>>()
    for (const [path, config, split] of converted as unknown as [string, string, string][]) {
      const splits = configs.get(config) ?? new Map<string, string[]>()
      splits.set(split, [...(splits.get(split) ?? []), path])
      configs.set(config, splits)
    }
    return configs
  }
  const splits = byName(paths, '')
  return splits.size === 0 ? new Map() : new Map([['default', splits]])
}

/** By shards in `data/`, else by the words in names of folders, else of files; where there are none, all of it is `train`. */
function byName(paths: readonly string[], folder: string): Map<string, string[]> {
  const all = commonest(paths.filter(holdsRows))
  const shards = grouped(all, (path) => SHARD.exec(path.slice(folder.length))?.[1])
  if (shards.size > 0) return shards
  for (const inFolder of [true, false]) {
    const found = new Map<string, string[]>()
    for (const [split, words] of KEYWORDS) {
      const word = new RegExp(`(?:^|[-._ 0-9])(?:${words})(?:[-._ 0-9]|$)`)
      const own = all.filter((path) => {
        const segments = path.slice(folder.length).split('/')
        return inFolder ? segments.slice(0, -1).some((each) => word.test(each)) : word.test(segments.at(-1)!)
      })
      if (own.length > 0) found.set(split, own)
    }
    if (found.size > 0) return found
  }
  return all.length === 0 ? new Map() : new Map([['train', all]])
}

/** Of files in several formats those of the commonest: the others hold the same rows, or are something else. */
function commonest(paths: readonly string[]): string[] {
  const kinds = grouped(paths, (path) => /\.([a-z]+)(?:\.(?:gz|zst))?$/i.exec(path)?.[1]?.toLowerCase())
  return [...kinds.values()].sort((a, b) => b.length - a.length)[0] ?? []
}

function grouped(paths: readonly string[], keyOf: (path: string) => string | undefined): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const path of paths) {
    const key = keyOf(path)
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), path])
  }
  return groups
}

/** Hidden files and folders, and those that begin with two underscores, are nobody's rows. */
function isVisible(path: string): boolean {
  return path.split('/').every((segment) => !segment.startsWith('.') && !segment.startsWith('__'))
}

/** `*` and `?` stay in a folder, `**` does not; `[a-z]` and `[!a-z]` are one character. */
function globExpression(pattern: string): RegExp {
  const source = pattern.replace(
    /\*\*\/|\*+|\?|\[(!?)([^\]/]+)\]|[\\^$.|+(){}[\]]/g,
    (whole, not?: string, set?: string) => {
      if (whole === '**/') return '(?:[^/]+/)*'
      if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\\]^]/g, '\\$&')}]`
      if (whole === '?') return '[^/]'
      if (whole.startsWith('*')) return whole.length > 1 ? '.*' : '[^/]*'
      return `\\${whole}`
    },
  )
  return new RegExp(`^${source}$`)
}
