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
  /** What of it people may not expect: rows that are in no split, patterns that fit nothing. */
  notices: readonly string[]
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
/** Of two that are as common, the first is meant: text is what notes are written in. */
const FORMATS: readonly string[] = ['parquet', 'json', 'csv', 'txt']
/** Longer than any pattern that says where files lie. */
const MAX_PATTERN = 500

/** Reads the splits of `files`; `readme` is the text of README.md. InputError, naming `subject`, for a metadata block that cannot be read. */
export function datasetSplits(files: readonly RepoFile[], readme: string | undefined, subject: string): DatasetSplits {
  const all = files.map(({ path }) => path).sort()
  const paths = all.filter((path) => isVisible(path))
  const notices: string[] = []
  const declared = readme === undefined ? [] : declaredConfigs(readme, subject)
  const configs = new Map<string, ReadonlyMap<string, readonly string[]>>()
  for (const { name, folder, patterns } of declared) {
    const own = paths.filter((path) => path.startsWith(folder))
    const splits = patterns === undefined ? byName(own, folder) : byPatterns(patterns, all, folder)
    for (const pattern of [...(patterns?.values() ?? [])].flat())
      if (fitting(pattern, all, folder).length === 0)
        notices.push(`README.md:configs: ${JSON.stringify(pattern)} of ${name} fits no file`)
    if (splits.size > 0) configs.set(name, splits)
  }
  const unmatched = declared.findIndex(({ patterns }) => patterns !== undefined)
  if (configs.size === 0 && unmatched >= 0) {
    const { folder, patterns } = declared[unmatched]!
    const shown = [...patterns!.values()].flat().map((pattern) => folder + pattern)
    throw new InputError(
      `${subject}, README.md:configs[${unmatched}].data_files: expected files of the repository, got ${JSON.stringify(shown).slice(0, 200)}, which match nothing. Name a file after :`,
    )
  }
  if (declared.length === 0) {
    for (const [name, splits] of undeclared(paths)) configs.set(name, splits)
    notices.push(...unexpected(configs, paths.filter(holdsRows)))
  }
  const named = declared.find(({ isDefault }) => isDefault)?.name ?? 'default'
  const only = configs.size === 1 ? [...configs.keys()][0] : undefined
  return { configs, defaultConfig: only ?? (configs.has(named) ? named : undefined), notices }
}

/** Whether a file of this name holds rows. */
export function holdsRows(path: string): boolean {
  return ROWS.test(path) && !isBeside(path)
}

function isBeside(path: string): boolean {
  return NO_ROWS.test(path.slice(path.lastIndexOf('/') + 1))
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
    const found = own.flatMap((pattern) => fitting(pattern, paths, folder))
    if (found.length > 0) splits.set(split, [...new Set(found)])
  }
  return splits
}

/** A file that is named is meant; of what a pattern fits, rows in one format, and nothing hidden but where the pattern says so itself. */
function fitting(pattern: string, paths: readonly string[], folder: string): string[] {
  const whole = folder + pattern.replace(/^(?:\.\/)+/, '')
  if (paths.includes(whole)) return [whole]
  const shape = globExpression(whole)
  const isHidden = !isVisible(whole)
  const found = paths.filter((path) => shape.test(path) && (isHidden || isVisible(path)))
  return found.some(holdsRows) ? inOneFormat(found.filter(holdsRows)) : found.filter((path) => !isBeside(path))
}

/** What a person who names the dataset would not see otherwise. */
function unexpected(configs: DatasetSplits['configs'], rows: readonly string[]): string[] {
  const taken = new Set([...configs.values()].flatMap((splits) => [...splits.values()].flat()))
  const left = rows.filter((path) => !taken.has(path))
  const shown = `${left.slice(0, 3).join(', ')}${left.length > 3 ? ` and ${left.length - 3} more` : ''}`
  const formats = [...configs.values()].flatMap((splits) =>
    [...splits].map(([split, [path]]) => ({ split, format: formatOf(path!) })),
  )
  return [
    ...(left.length > 0 ? [`${shown} ${left.length === 1 ? 'is' : 'are'} in no split, by name and format`] : []),
    ...(new Set(formats.map(({ format }) => format)).size > 1
      ? [`its splits are in several formats: ${formats.map(({ split, format }) => `${split} in ${format}`).join(', ')}`]
      : []),
  ]
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

/** By shards in `data/`, else by the words in names of folders, else of files; where there are none, all of it is `train`. Then each in one format. */
function byName(paths: readonly string[], folder: string): Map<string, string[]> {
  const splits = byWords(paths.filter(holdsRows), folder)
  return new Map([...splits].map(([split, own]) => [split, inOneFormat(own)]))
}

function byWords(all: readonly string[], folder: string): Map<string, string[]> {
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
  return all.length === 0 ? new Map() : new Map([['train', [...all]]])
}

/** Of files of one split in several formats those of the commonest, of two as common the first: the others hold the same rows, or are something else. */
function inOneFormat(paths: readonly string[]): string[] {
  const kinds = grouped(paths, formatOf)
  const rank = (format: string): number => FORMATS.indexOf(format)
  return [...kinds].sort(([a, own], [b, others]) => others.length - own.length || rank(a) - rank(b))[0]?.[1] ?? []
}

/** As rows are read: JSONL by any of its names is one format, and so are CSV and TSV. */
function formatOf(path: string): string {
  const ending = /\.([a-z]+)(?:\.(?:gz|zst))?$/i.exec(path)?.[1]?.toLowerCase() ?? ''
  return { jsonl: 'json', ndjson: 'json', tsv: 'csv' }[ending] ?? ending
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
