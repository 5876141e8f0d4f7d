// Where the model of an adapter is: what its file names, from the adapter's own folder, else from the folder that one works in, else in the
// cache of what was downloaded by name.
import { existsSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { formatHubName } from '../../hub/hub-name.ts'
import { cachedPath, nameOfSnapshot } from '../../hub/snapshot.ts'

/** The base that the adapter in `directory` names, and the places that were tried. */
export interface BaseModel {
  /** Undefined where none of them is there. */
  found: string | undefined
  tried: readonly string[]
}

/** Looks for `base`, the `base_model_name_or_path` of the adapter in `directory`; `revision` is that of a name on the hub. */
export function findBaseModel(directory: string, base: string, revision?: string | null): BaseModel {
  const tried = isAbsolute(base) ? [base] : [join(directory, base), base]
  const found = tried.find((place) => existsSync(place)) ?? cachedPath(base, revision)
  return { found, tried: [...new Set(tried.map((place) => resolve(place)))] }
}

/**
 * How an adapter names its base: what came from the hub by its name and commit, a folder by a path that holds from anywhere, what is none as
 * it is.
 */
export function namedFromAnywhere(base: string): { base_model_name_or_path: string; revision: string | null } {
  const name = nameOfSnapshot(base)
  if (name !== undefined)
    return { base_model_name_or_path: formatHubName({ ...name, revision: 'main' }), revision: name.revision }
  return { base_model_name_or_path: existsSync(base) ? resolve(base) : base, revision: null }
}
