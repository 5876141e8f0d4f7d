// What people give as data → what is read: a path that is there stays, a name on the hub is pulled and gets the commit that it has now. The one
// step that asks the network, before anything is read; the readers then find the files of such a name in the cache.
import { existsSync } from 'node:fs'
import { InputError } from '../errors.ts'
import { COMMIT, formatHubName, type HubName, isHubName, parseHubName } from '../hub/hub-name.ts'
import { norAPath } from '../hub/nor-a-path.ts'
import { type PulledDataset, pullDataset } from '../hub/pull-dataset.ts'
import type { Watch } from '../work.ts'

/** How names of data are taken. */
export interface ResolveDataOptions {
  /** The split that is meant where a dataset has several and none is named. Default `train`; null: none, which is said. */
  usual?: string | null
  /** What the same names were when the run began: they keep their commits. */
  began?: readonly string[] | undefined
}

/**
 * The same list with `ORG/NAME@commit:split` in place of names on the hub, whose files are in the cache then. HubError and InputError as
 * `pullDataset` throws them.
 *
 * @example
 * const paths = await resolveData(['HuggingFaceTB/smoltalk:everyday-conversations', 'own.jsonl'])
 */
export async function resolveData(
  paths: readonly string[],
  watch?: Watch,
  { usual = 'train', began = [] }: ResolveDataOptions = {},
): Promise<string[]> {
  const resolved: string[] = []
  for (const path of paths) {
    if (!isNameOfData(path)) resolved.push(path)
    else resolved.push((await pulled(asBegun(parseHubName(path), began), watch, usual)).name)
  }
  return resolved
}

/** One file: `path` itself, or the one that a name on the hub means. InputError where it means several. */
export async function resolveDataFile(path: string, watch?: Watch): Promise<string> {
  if (!isNameOfData(path)) return path
  const { name, paths } = await pulled(parseHubName(path), watch, null)
  if (paths.length === 1) return paths[0]!
  throw new InputError(`${name}: expected one file of data, got ${paths.length}. Name one of them after :`)
}

/** Whether nothing has this path here and it may be the name of a dataset on the hub. */
export function isNameOfData(path: string): boolean {
  return !existsSync(path) && isHubName(path)
}

async function pulled(name: HubName, watch: Watch | undefined, usual: string | null): Promise<PulledDataset> {
  return norAPath(pullDataset(name, { watch, ...(usual !== null && { usual }) }))
}

/** A run that is resumed goes on with the rows that it began with, wherever the branch is now. */
function asBegun(name: HubName, began: readonly string[]): HubName {
  if (COMMIT.test(name.revision)) return name
  for (const text of began) {
    if (!isHubName(text)) continue
    const before = parseHubName(text)
    const isSame = before.repo === name.repo && COMMIT.test(before.revision)
    const wanted = formatHubName({ ...name, revision: 'main' }).slice(name.repo.length + 1)
    // What was not named then was chosen, and said.
    if (isSame && (wanted === '' || before.part === wanted || before.part?.endsWith(`/${wanted}`))) return before
  }
  return name
}
