// Which files of a dataset are meant by what stands behind its name: nothing, a split, a configuration, both, a file or a folder.
import { InputError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import type { RepoFile } from './cache.ts'
import { type DatasetSplits, datasetSplits, holdsRows } from './dataset-splits.ts'
import { formatHubName, type HubName } from './hub-name.ts'

/** What was chosen of a dataset. */
export interface ChosenFiles {
  files: readonly RepoFile[]
  /** What to put behind the name so that the same is meant for ever: `train`, `config/train`, a file. */
  part: string
  /** Splits that are there besides, where the one that was taken was not named. */
  others: readonly string[]
  /** What else people should know of it. */
  notices: readonly string[]
}

/**
 * Chooses among `files` of a dataset. Where no split is named, the only one is meant, or `usual`. InputError, with what there is, where nothing or
 * several things fit. Programs in the repository are never run.
 */
export function chooseFiles(
  files: readonly RepoFile[],
  readme: string | undefined,
  name: HubName,
  usual?: string,
): ChosenFiles {
  const { part } = name
  const own = formatHubName({ ...name, part: undefined })
  const byPath = new Map(files.map((file) => [file.path, file]))
  let notices: readonly string[] = []
  const found = (paths: readonly string[], as: string, others: readonly string[] = []): ChosenFiles => {
    const unread = paths.find((path) => !holdsRows(path))
    if (unread !== undefined && unread !== part) throw unreadable(own, unread)
    return { files: paths.map((path) => byPath.get(path)!), part: as, others, notices }
  }
  if (part !== undefined && byPath.has(part)) return found([part], part)
  const splits = datasetSplits(files, readme, own)
  const { configs, defaultConfig } = splits
  notices = splits.notices
  if (configs.size === 0) throw noRows(own, files)
  const partOf = (config: string, split: string): string => (configs.size > 1 ? `${config}/${split}` : split)
  const named = nameSplit(splits, part)
  if (named !== undefined && named.split !== undefined)
    return found(configs.get(named.config)!.get(named.split)!, partOf(named.config, named.split))
  if (part !== undefined && named === undefined) {
    const inside = [...byPath.keys()].filter((path) => path.startsWith(`${part}/`) && holdsRows(path)).sort()
    if (inside.length > 0) return found(inside, part)
    const hint = didYouMean(
      part,
      choices(own, splits, Number.POSITIVE_INFINITY).map((each) => each.slice(own.length + 1)),
    )
    throw new InputError(
      `${formatHubName(name)}: expected a split, a configuration or a file of the dataset after :, got '${part}'.${hint} There ${listed(own, splits)}`,
    )
  }
  const config = named?.config ?? defaultConfig
  if (config === undefined)
    throw new InputError(
      `${own}: expected one of its ${configs.size} configurations after :, got none. There ${listed(own, splits)}`,
    )
  const there = [...configs.get(config)!.keys()]
  // Whoever trains does not mean the rows that tests are made of, only because there are no others.
  const only = there.length === 1 && !(usual === 'train' && there[0] === 'test') ? there[0] : undefined
  const split = only ?? there.find((each) => each === usual)
  if (split === undefined)
    throw new InputError(
      `${formatHubName(name)}: expected one of its splits after :, got none. There ${listed(own, splits)}`,
    )
  return found(
    configs.get(config)!.get(split)!,
    partOf(config, split),
    there.filter((each) => each !== split).map((each) => `${own}:${partOf(config, each)}`),
  )
}

/** The configuration, and the split where it is named, too; undefined where `part` is neither. */
function nameSplit(
  { configs, defaultConfig }: DatasetSplits,
  part: string | undefined,
): { config: string; split?: string } | undefined {
  if (part === undefined) return undefined
  for (const [config, splits] of configs)
    for (const split of splits.keys()) if (part === `${config}/${split}`) return { config, split }
  if (defaultConfig !== undefined && configs.get(defaultConfig)!.has(part))
    return { config: defaultConfig, split: part }
  return configs.has(part) ? { config: part } : undefined
}

const SHOWN = 30

function choices(own: string, { configs }: DatasetSplits, limit: number): string[] {
  const all = [...configs].flatMap(([config, splits]) =>
    [...splits.keys()].map((split) => `${own}:${configs.size > 1 ? `${config}/` : ''}${split}`),
  )
  return all.length > limit ? [...all.slice(0, limit), `${all.length - limit} more`] : all
}

function listed(own: string, splits: DatasetSplits): string {
  const all = choices(own, splits, SHOWN)
  return `${all.length === 1 ? 'is' : 'are'} ${all.join(', ')}`
}

function unreadable(own: string, path: string): InputError {
  return new InputError(
    `${own}: expected rows as Parquet, JSONL, CSV or text, got ${path}. The hub may have them as Parquet: name ${own.replace(/@.*/, '')}@refs/convert/parquet`,
  )
}

/** A dataset that a program makes is the makers' machine, not ours. */
function noRows(own: string, files: readonly RepoFile[]): InputError {
  const script = files.find(({ path }) => /^[^/]+\.py$/.test(path))
  const paths = files.map(({ path }) => path)
  const got =
    script !== undefined
      ? `a program that makes them (${script.path}), and programs of a dataset are never run`
      : paths.length === 0
        ? 'no files'
        : `${paths.slice(0, 10).join(', ')}${paths.length > 10 ? ` and ${paths.length - 10} more` : ''}`
  return new InputError(
    `${own}: expected files of rows (Parquet, JSONL, CSV, text), got ${got}. The hub may have them as Parquet: name ${own.replace(/@.*/, '')}@refs/convert/parquet`,
  )
}
