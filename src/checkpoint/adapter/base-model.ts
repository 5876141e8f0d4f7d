// Where the model of an adapter is: what its file names, from the adapter's own folder, else from the folder that one works in.
import { existsSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'

/** The base that the adapter in `directory` names, and the places that were tried. */
export interface BaseModel {
  /** Undefined where none of them is there. */
  found: string | undefined
  tried: readonly string[]
}

/** Looks for `base`, the `base_model_name_or_path` of the adapter in `directory`. */
export function findBaseModel(directory: string, base: string): BaseModel {
  const tried = isAbsolute(base) ? [base] : [join(directory, base), base]
  return { found: tried.find((place) => existsSync(place)), tried: [...new Set(tried.map((place) => resolve(place)))] }
}

/** How an adapter names its base: a folder by a path that holds from anywhere, what is none (a name on a hub) as it is. */
export function namedFromAnywhere(base: string): string {
  return existsSync(base) ? resolve(base) : base
}
