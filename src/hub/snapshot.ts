// Between a place in the cache and the name that it has on the hub: what a run began from is told by name and commit, wherever the cache lies.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { RepoCache } from './cache.ts'
import { COMMIT, formatHubName, type HubName, parseHubName } from './hub-name.ts'
import { hubSettings } from './hub-settings.ts'

/** A model's commit in a cache of Hugging Face's tools, or a file of it. */
const SNAPSHOT = /(?:^|[/\\])models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]([0-9a-f]{40})(?:[/\\](.+))?$/

/** The name of a snapshot's folder, or of a file in one, with its commit as the revision; undefined for any other path. */
export function nameOfSnapshot(path: string): HubName | undefined {
  const [, owner, name, revision, part] = SNAPSHOT.exec(resolve(path)) ?? []
  if (revision === undefined) return undefined
  return { repo: `${owner}/${name}`, revision, part: part?.replaceAll('\\', '/') }
}

/** `ORG/NAME@commit` for what lies in the cache, any other path as it is: what it means on every machine. */
export function pinnedName(path: string): string {
  const name = nameOfSnapshot(path)
  return name === undefined ? path : formatHubName(name)
}

/** Where the cache has a model, without asking anybody whether there is a newer one; undefined where it has none, or `text` is no name. */
export function cachedPath(text: string, revision?: string | null): string | undefined {
  let name: HubName
  try {
    name = parseHubName(text)
  } catch {
    return undefined
  }
  const { repo, part } = name
  const wanted = revision ?? name.revision
  const cache = new RepoCache(hubSettings().cache, 'model', repo)
  const commit = COMMIT.test(wanted) ? wanted : cache.readRef(wanted)
  if (commit === undefined) return undefined
  const path = part === undefined ? cache.snapshot(commit) : cache.pointer(commit, part)
  return existsSync(path) ? path : undefined
}
