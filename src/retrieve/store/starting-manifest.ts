// What an index begins with when it is opened for writing: what is there, or nothing, under settings that fit.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../errors.ts'
import { MANIFEST, type Manifest, readManifest } from './manifest.ts'
import { checkEmbedder, type IndexOptions, type IndexSettings, settingsOf } from './settings.ts'

/**
 * The manifest that a writer goes on from; with `overwrite` an empty one behind it. UsageError where the folder has something else in it, or
 * the index other settings.
 */
export function startingManifest(directory: string, options: IndexOptions & { overwrite?: boolean }): Manifest {
  const isThere = existsSync(join(directory, MANIFEST))
  if (!isThere) {
    const strange = readdirSync(directory).find(
      (name) => !/^\.|^quarantine\.jsonl$|^(?:segment|removed)-\d+\.bin$/.test(name),
    )
    if (strange !== undefined)
      throw new UsageError(
        `directory: expected an index or an empty folder, got ${directory} with ${strange} in it. Choose another one`,
      )
  }
  const before = isThere ? readManifest(directory) : undefined
  if (before === undefined || options.overwrite === true) {
    const { generation = 0, next = 0 } = before ?? {}
    return { generation, next, documents: 0, withWords: 0, tokens: 0, settings: settingsOf(options), segments: [] }
  }
  checkSame(before.settings, options, directory)
  return before
}

/** UsageError where options that were given are not those that the index has. */
function checkSame(kept: IndexSettings, options: IndexOptions, directory: string): void {
  const wanted = settingsOf(options)
  if (options.bm25 !== undefined && JSON.stringify(wanted.bm25) !== JSON.stringify(kept.bm25))
    throw new UsageError(
      `bm25: expected ${JSON.stringify(kept.bm25)}, with which ${directory} was made, got ${JSON.stringify(wanted.bm25)}. Leave it out`,
    )
  if (options.embedder !== undefined) checkEmbedder(kept, options.embedder, directory)
  for (const [name, given, has] of [
    ['metric', options.metric, kept.embedding?.metric],
    ['vectors', options.vectors, kept.embedding?.type],
  ] as const)
    if (given !== undefined && has !== undefined && given !== has)
      throw new UsageError(`${name}: expected ${has}, with which ${directory} was made, got ${given}. Leave it out`)
}
