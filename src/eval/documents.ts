// Where a task's documents come from: files named in `dataset_kwargs.data_files`, or files of a directory that are named after their split,
// in the ways in which data sets are published. Rows are as Hugging Face's `datasets` gives them: all have the same fields.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readRows } from '../data/read/sources.ts'
import { InputError } from '../errors.ts'
import { rememberNumbers } from '../text/json-spelling.ts'
import { pythonEscape } from '../text/python-regex.ts'
import { brief, type Doc, type Splits, type TaskConfig } from './task-config.ts'

const BUILDERS: ReadonlySet<string> = new Set(['json', 'csv', 'parquet', 'text', 'pandas'])
const DATA_FILE = /\.(?:jsonl|ndjson|json|csv|tsv|parquet|txt)(?:\.gz)?$/i
/** Other names under which a split is published. */
const SPLIT_NAMES: Readonly<Record<string, readonly string[]>> = {
  validation: ['validation', 'valid', 'val', 'dev'],
  dev: ['dev', 'validation', 'valid', 'val'],
  val: ['val', 'validation', 'valid', 'dev'],
  test: ['test', 'eval'],
  train: ['train', 'training'],
}

/** How documents are found and told of. */
export interface ReadOptions {
  /** The directory that the user named for data sets that are not files of the task itself. */
  data?: string | undefined
  notice?: ((message: string) => void) | undefined
}

/** Reads the splits that a task uses. InputError names the task and the key where they are not there. */
export async function readSplits(task: TaskConfig, options: ReadOptions = {}): Promise<Splits> {
  const wanted = splitsOf(task)
  if (task.custom_dataset !== undefined) {
    const splits = await task.custom_dataset(options.data)
    for (const split of wanted) if (splits[split] === undefined) throw missingSplit(task, split, Object.keys(splits))
    return Object.fromEntries(Object.entries(splits).map(([name, docs]) => [name, sameFields(docs)]))
  }
  const files = filesOf(task, options, wanted)
  const splits: Record<string, readonly Doc[]> = {}
  for (const split of wanted) {
    const paths = files.get(split)
    if (paths === undefined) throw missingSplit(task, split, [...files.keys()])
    splits[split] = await readDocs(paths, task, options)
  }
  return splits
}

/** The splits that a task names, the one that is asked about first. */
export function splitsOf(task: TaskConfig): string[] {
  const asked = task.test_split ?? task.validation_split
  if (asked === undefined)
    throw new InputError(
      `task ${task.task}: test_split: expected it or validation_split, got neither. Name the split to ask about`,
    )
  if ((task.num_fewshot ?? 0) === 0) return [asked]
  const own = task.fewshot_config?.samples === undefined
  const shots = task.fewshot_config?.split ?? task.fewshot_split
  const all = [asked, shots ?? (own ? (task.training_split ?? task.validation_split) : undefined)]
  return [...new Set(all.filter((split) => split !== undefined))]
}

function missingSplit(task: TaskConfig, split: string, found: readonly string[]): InputError {
  return new InputError(
    `task ${task.task}: split '${split}': expected data of that name, got ${found.length === 0 ? 'none' : `only ${found.join(', ')}`}. Correct the split or the data`,
  )
}

function filesOf(task: TaskConfig, { data }: ReadOptions, wanted: readonly string[]): Map<string, string[]> {
  const { dataset_path: path, dataset_kwargs: kwargs = {} } = task
  if (path === undefined)
    throw new InputError(`task ${task.task}: dataset_path: expected where the documents are, got nothing`)
  const { data_files: named } = kwargs
  if (named !== undefined) return namedFiles(task, named, kwargs.data_dir)
  const directory = kwargs.data_dir ?? (existsSync(path) && statSync(path).isDirectory() ? path : undefined)
  const searched = directory ?? (BUILDERS.has(path) ? undefined : data)
  if (searched === undefined)
    throw new InputError(
      `task ${task.task}: dataset_path: expected json, csv or parquet with data_files, or a directory, got '${path}'. Nothing is downloaded: give its files with --data DIR`,
    )
  const names = [task.dataset_name, path.split('/').at(-1)].filter((name): name is string => Boolean(name))
  const found = new Map<string, string[]>()
  for (const split of wanted) {
    const files = findSplit(searched, names, split)
    if (files.length > 0) found.set(split, files)
  }
  if (found.size === 0)
    throw new InputError(
      `task ${task.task}: ${searched}: expected files named after the split${wanted.length > 1 ? 's' : ''} ${wanted.join(', ')} (such as ${wanted[0]}.jsonl), got none`,
    )
  return found
}

function namedFiles(task: TaskConfig, named: unknown, directory = ''): Map<string, string[]> {
  const list = (value: unknown): string[] => {
    const paths = typeof value === 'string' ? [value] : value
    if (!Array.isArray(paths) || paths.some((path) => typeof path !== 'string'))
      throw new InputError(`task ${task.task}: dataset_kwargs.data_files: expected paths, got ${brief(value)}`)
    return paths.map((path: string) => {
      const full = join(directory, path)
      if (!existsSync(full))
        throw new InputError(
          `task ${task.task}: dataset_kwargs.data_files: expected a file, got '${path}', which is not there. Paths are relative to the working directory`,
        )
      return full
    })
  }
  if (typeof named === 'object' && named !== null && !Array.isArray(named))
    return new Map(Object.entries(named).map(([split, paths]) => [split, list(paths)]))
  return new Map([['train', list(named)]]) // as `datasets` calls files without a split
}

/** Files under `directory` (or a folder of one of `names` in it) that are named after `split`. */
export function findSplit(directory: string, names: readonly string[], split: string): string[] {
  if (!existsSync(directory))
    throw new InputError(`--data ${directory}: expected a directory, got nothing. Check the path`)
  const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory()
  const folders = [directory, ...names.map((name) => join(directory, name))].filter(isFolder).reverse()
  const all = folders.flatMap((folder) => [folder, join(folder, 'data'), join(folder, split)]).filter(isFolder)
  for (const spelled of Object.hasOwn(SPLIT_NAMES, split) ? SPLIT_NAMES[split]! : [split]) {
    const word = new RegExp(`(?:^|[^a-z])${pythonEscape(spelled)}(?:[^a-z]|$)`, 'i')
    for (const folder of all) {
      const files = readdirSync(folder)
        .filter((file) => DATA_FILE.test(file) && word.test(file.replace(DATA_FILE, '')))
        .sort()
      const own = names.length === 0 ? files : files.filter((file) => names.some((name) => file.includes(name)))
      const chosen = own.length > 0 ? own : files
      if (chosen.length > 0) return chosen.map((file) => join(folder, file))
    }
  }
  return []
}

async function readDocs(paths: readonly string[], task: TaskConfig, { notice }: ReadOptions): Promise<Doc[]> {
  const docs: Doc[] = []
  const columns = (task.dataset_kwargs?.column_names ?? task.dataset_kwargs?.names) as string[] | undefined
  const reading = readRows(paths, {
    maxBadFraction: 0,
    ...(columns !== undefined && { columns }),
    onNotice: (message) => notice?.(`task ${task.task}: ${message}`),
  })
  for await (const { row } of reading) docs.push(typeof row === 'string' ? { text: row } : row)
  const isTable = paths.every((path) => /\.[ct]sv(?:\.gz)?$/i.test(path))
  return sameFields(isTable ? typedColumns(docs) : docs)
}

/** What a row lacks and another has is None, as `datasets` makes it. */
function sameFields(docs: readonly Doc[]): Doc[] {
  const fields = new Set(docs.flatMap((doc) => Object.keys(doc)))
  return docs.map((doc) => {
    if (Object.keys(doc).length === fields.size) return doc
    return Object.fromEntries(Array.from(fields, (field) => [field, doc[field] ?? null]))
  })
}

/** What pandas takes for an empty cell. */
const EMPTY: ReadonlySet<string> = new Set([
  '',
  '#N/A',
  '#N/A N/A',
  '#NA',
  '-1.#IND',
  '-1.#QNAN',
  '-NaN',
  '-nan',
  '1.#IND',
  '1.#QNAN',
  '<NA>',
  'N/A',
  'NA',
  'NULL',
  'NaN',
  'None',
  'n/a',
  'nan',
  'null',
])

/**
 * The columns of a table as pandas types them: whole numbers, numbers, True and False, texts; an empty cell is None, and so are `NA`,
 * `None`, `nan` and their likes (`empty`). Whole numbers beside empty cells are printed as 1.0, as there.
 */
export function typedColumns(docs: readonly Doc[], empty: ReadonlySet<string> = EMPTY): Doc[] {
  const columns = Object.keys(docs[0] ?? {})
  const floats = new Set<string>()
  const readers = new Map(
    columns.map((column) => {
      const cells = docs.map((doc) => String(doc[column] ?? ''))
      const values = cells.filter((value) => !empty.has(value))
      const every = (pattern: RegExp): boolean => values.length > 0 && values.every((value) => pattern.test(value))
      if (every(/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/)) {
        const isWhole = every(/^[-+]?\d{1,15}$/)
        if (!isWhole || values.length < cells.length) floats.add(column)
        return [column, Number] as const
      }
      if (every(/^(?:True|TRUE|true|False|FALSE|false)$/))
        return [column, (value: string) => /^t/i.test(value)] as const
      return [column, (value: string): unknown => value] as const
    }),
  )
  return docs.map((doc) => {
    const isEmpty = (column: string): boolean => empty.has(String(doc[column] ?? ''))
    const row = Object.fromEntries(
      columns.map((column) => [column, isEmpty(column) ? null : readers.get(column)!(String(doc[column]))]),
    )
    const spelled = [...floats].filter((column) => Number.isInteger(row[column]))
    if (spelled.length > 0) rememberNumbers(row, new Map(spelled.map((column) => [column, `${row[column]}.0`])))
    return row
  })
}
