// What a path to a model means: a Hugging Face directory, a GGUF file, or a PEFT adapter, which stands for its base with it on top.
// Only small files are read here; load-model.ts reads the weights.
import { existsSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { type AdapterFile, parseAdapterConfig } from '../checkpoint/adapter/adapter-config.ts'
import { findBaseModel } from '../checkpoint/adapter/base-model.ts'
import { type LineageStep, readLineage } from '../checkpoint/model-directory/lineage.ts'
import { loadConfig } from '../checkpoint/model-directory/load.ts'
import { InputError } from '../errors.ts'
import { kindOf } from '../files/output-file.ts'
import { readJsonFile } from '../files/read-json.ts'
import { isGguf } from '../gguf/load-parts.ts'
import { stringAt } from '../gguf/metadata-fields.ts'
import { configFromGguf } from '../gguf/model-config.ts'
import { readGguf } from '../gguf/read.ts'
import { formatHubName, ownerHint } from '../hub/hub-name.ts'
import { nameOfSnapshot } from '../hub/snapshot.ts'
import { type GenerationConfig, readGenerationConfig } from '../infer/generation-config.ts'
import type { ModelInfo } from '../lm/lm.ts'
import type { DecoderConfig } from '../model/config.ts'

/** An adapter's directory, and what kind it is. */
export interface AdapterSource {
  directory: string
  config: AdapterFile
}

/** Where a model comes from. */
export interface ModelSource {
  /** Last part of the path or name that was given, for titles. */
  name: string
  /** The model directory or GGUF file below all adapters. */
  base: string
  isGguf: boolean
  /** In the order in which they were made. */
  adapters: readonly AdapterSource[]
}

/** The name of a model, and which version of it, as far as its path tells. */
export function modelInfo({ name, base, adapters }: ModelSource): ModelInfo {
  const known = adapters.length === 0 ? nameOfSnapshot(base) : undefined
  if (known === undefined) return { name }
  const { revision } = known
  return { name: formatHubName({ ...known, revision: 'main' }), revision }
}

const ADAPTER = 'adapter_config.json'

/** Whether `path` is an adapter's directory and not a model's. */
export function isAdapter(path: string): boolean {
  return existsSync(join(path, ADAPTER)) && !existsSync(join(path, 'config.json'))
}

/**
 * Follows `path` down to its base: an adapter names the model that it belongs to. `adapter`: one more, or several, on top.
 * InputError where a base cannot be found.
 */
export function modelSource(path: string, adapter: string | readonly string[] = []): ModelSource {
  const above = typeof adapter === 'string' ? [adapter] : [...adapter]
  checkModelPath(path)
  for (const directory of above) checkAdapterPath(directory)
  const name = titleOf(above.at(-1) ?? path)
  const below: string[] = []
  let base = path
  while (isAdapter(base)) {
    if (below.some((known) => resolve(known) === resolve(base)))
      throw new InputError(
        `${join(base, ADAPTER)}:base_model_name_or_path: expected a model, got adapters that name each other. Correct it`,
      )
    below.unshift(base)
    base = baseOf(base)
  }
  const all = [...below, ...above]
  const twice = all.find((directory, i) => all.findIndex((other) => resolve(other) === resolve(directory)) < i)
  if (twice !== undefined)
    throw new InputError(
      `${twice}: expected each adapter once, got it twice, which would double what it does. Give it once`,
    )
  const adapters = all.map((directory) => ({ directory, config: readAdapterConfig(directory) }))
  return { name, base, isGguf: isGguf(base), adapters }
}

/** What a model at `path` is called: as its file or folder, or on the hub, where the folder is a commit. */
export function titleOf(path: string): string {
  const { repo, part } = nameOfSnapshot(path) ?? {}
  return basename(part ?? repo ?? resolve(path)).replace(/\.gguf$/i, '')
}

/** InputError unless something that may be a model is at `path`. */
export function checkModelPath(path: string): void {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status?.isDirectory() || (status?.isFile() && isGguf(path))) return
  const expected = `${path}: expected a directory or a .gguf file, got`
  if (status === undefined)
    throw new InputError(
      `${expected} nothing. Check the path${/^[./~\\]/.test(path) ? '' : ', or give a name on the hub: ORG/NAME'}${ownerHint(path)}`,
    )
  if (/\.ya?ml$/i.test(path))
    throw new InputError(`${expected} a YAML file. Give the model; a configuration is run with anneal train`)
  throw new InputError(`${expected} ${kindOf(status)}. Check the path`)
}

/** InputError unless an adapter is at `path`. */
export function checkAdapterPath(path: string): void {
  if (existsSync(join(path, ADAPTER))) return
  const expected = `${path}: expected the directory of an adapter, got`
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined) throw new InputError(`${expected} nothing. Check the path`)
  if (status.isFile() && isGguf(path) && stringAt(readGguf(path), 'general.type') === 'adapter')
    throw new InputError(
      `${expected} one as GGUF, which is written for llama.cpp and not read here. Give the directory that it was made from`,
    )
  if (existsSync(join(path, 'config.json')) || (status.isFile() && isGguf(path)))
    throw new InputError(`${expected} a model. Give it as the model`)
  throw new InputError(
    `${expected} ${status.isDirectory() ? `one without ${ADAPTER}` : kindOf(status)}. Check the path`,
  )
}

/** adapter_config.json in `directory`. */
function readAdapterConfig(directory: string): AdapterFile {
  const file = join(directory, ADAPTER)
  return parseAdapterConfig(readJsonFile(file), file)
}

/** The model that an adapter belongs to: as written, from the adapter's own directory or from here. */
function baseOf(directory: string): string {
  const { base_model_name_or_path: base, revision } = readAdapterConfig(directory)
  const { found, tried } = base === null ? { found: undefined, tried: [] } : findBaseModel(directory, base, revision)
  if (found !== undefined) return found
  throw new InputError(
    `${join(directory, ADAPTER)}:base_model_name_or_path: expected the directory of its model, got ${base === null ? 'nothing' : `${JSON.stringify(base)}, which is not there (looked for ${tried.join(' and ')})`}. Give the model, and this as its adapter`,
  )
}

/** What the model is, without its weights. */
export function sourceConfig({ base, isGguf }: ModelSource): DecoderConfig {
  return isGguf ? configFromGguf(readGguf(base)) : loadConfig(base)
}

/** Where `file` of the model is taken from: the topmost adapter that has it, else the base. */
export function placeOf({ base, adapters }: ModelSource, file: string): string {
  return adapters.map(({ directory }) => directory).findLast((each) => existsSync(join(each, file))) ?? base
}

/** How its makers want it sampled. */
export function sourceGenerationConfig(source: ModelSource): GenerationConfig {
  const place = placeOf(source, 'generation_config.json')
  return source.isGguf && place === source.base ? {} : readGenerationConfig(place)
}

/** The steps that made the base, then those of the adapters: an adapter's own history starts with its base's. */
export function sourceLineage({ base, isGguf, adapters }: ModelSource): LineageStep[] {
  const steps = isGguf ? [] : readLineage(base)
  for (const { directory } of adapters) {
    const known = new Set(steps.map((step) => JSON.stringify(step)))
    steps.push(...readLineage(directory).filter((step) => !known.has(JSON.stringify(step))))
  }
  return steps
}
