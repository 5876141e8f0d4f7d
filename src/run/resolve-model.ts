// What people give for a model or adapter → a path: one that is there, else a name on the hub, which is downloaded into the cache. The one step
// that asks the network, before anything reads weights.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { findBaseModel } from '../checkpoint/adapter/base-model.ts'
import { secondSet } from '../checkpoint/model-directory/model-weights.ts'
import { readJsonFile } from '../files/read-json.ts'
import { type HubName, isHubName, parseHubName } from '../hub/hub-name.ts'
import { norAPath } from '../hub/nor-a-path.ts'
import { pull } from '../hub/pull.ts'
import { nameOfSnapshot } from '../hub/snapshot.ts'
import type { Need } from '../hub/wanted-files.ts'
import type { Watch } from '../work.ts'
import { isAdapter } from './model-source.ts'

/** Adapters on adapters; more than this go round in a circle, which `modelSource` says. */
const MAX_BASES = 8

/**
 * The path of a model, adapter or tokenizer: `text` itself where something is there, or where it is no name; else what was pulled. The base of an
 * adapter is brought along. HubError and InputError as `pull` throws them.
 *
 * @example
 * const path = await resolveModelPath('HuggingFaceTB/SmolLM2-135M-Instruct')
 */
export async function resolveModelPath(text: string, watch?: Watch, need: Need = 'model'): Promise<string> {
  const isEmpty = isHubName(text) && isEmptyFolder(text)
  if (isEmpty)
    watch?.tell?.({ type: 'notice', message: `${text}: an empty folder; taking what the hub has of this name` })
  const isPath = (existsSync(text) && !isEmpty) || !isHubName(text)
  const path = isPath ? text : await pulled(parseHubName(text), watch, need)
  if (need === 'model') await bringBases(path, watch)
  const second = need === 'model' ? secondSet(path) : undefined
  if (second !== undefined) watch?.tell?.({ type: 'notice', message: `${path}: ${second}` })
  return path
}

/** The same options with paths for `model` and `adapter`. */
export async function resolveModels<T extends { model: string; adapter?: string | readonly string[] | undefined }>(
  options: T,
  watch?: Watch,
): Promise<T> {
  const { adapter = [] } = options
  const model = await resolveModelPath(options.model, watch)
  const adapters: string[] = []
  for (const each of typeof adapter === 'string' ? [adapter] : adapter)
    adapters.push(await resolveModelPath(each, watch))
  return { ...options, model, ...(options.adapter !== undefined && { adapter: adapters }) }
}

async function pulled(name: HubName, watch: Watch | undefined, need: Need): Promise<string> {
  return (await norAPath(pull(name, { watch, need }))).path
}

/** Downloads the models that the adapter at `path` names, where they are names on the hub; `modelSource` then finds them in the cache. */
export async function bringBases(path: string, watch?: Watch): Promise<void> {
  let place = path
  for (let i = 0; i < MAX_BASES && isAdapter(place); i++) {
    const json = readJsonFile(join(place, 'adapter_config.json')) as Record<string, unknown> | null
    const { base_model_name_or_path: base, revision } = json ?? {}
    if (typeof base !== 'string') return
    const { found } = findBaseModel(place, base)
    const isHere = found !== undefined && nameOfSnapshot(found) === undefined
    if (!isHere && !isHubName(base)) return
    const name = isHere ? undefined : parseHubName(base)
    place =
      name === undefined
        ? found!
        : await pulled({ ...name, ...(typeof revision === 'string' && { revision }) }, watch, 'model')
  }
}

function isEmptyFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true && readdirSync(path).length === 0
}
