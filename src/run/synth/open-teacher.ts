// The teacher of a configuration: a model of ours, or a service; and what decides its answers besides its name.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../errors.ts'
import { hashFile, hashOf } from '../../files/hash.ts'
import { connect } from '../../prompting/base/connect.ts'
import type { Cost } from '../../prompting/base/cost.ts'
import { localModel } from '../../prompting/base/local-model.ts'
import type { Model } from '../../prompting/base/model.ts'
import { turn, type Watch } from '../../work.ts'
import type { SynthConfig } from './config.ts'

/** A teacher that can be asked. */
export interface OpenedTeacher {
  readonly model: Model
  /** Its address, or a hash of its weights. */
  readonly version: string
}

/** Where a model of ours runs. */
export interface TeacherPlace {
  device?: 'auto' | 'cpu' | 'cuda'
  dtype?: 'auto' | 'f32' | 'bf16' | 'f16'
}

/** Loads or connects the teacher. UsageError where its key is not in the environment that is named. */
export async function openTeacher(
  { teacher, price, concurrency }: Pick<SynthConfig, 'teacher' | 'price' | 'concurrency'>,
  watch: Watch,
  place: TeacherPlace = {},
): Promise<OpenedTeacher> {
  const { model: name, url, api_key_env: variable, dialect, json_schema, body, timeout_seconds, retries } = teacher
  const { input, output, cached } = price
  const cost: Cost | undefined =
    input === undefined || output === undefined ? undefined : { input, output, ...(cached !== undefined && { cached }) }
  if (url === undefined) return ofOurs({ model: name!, adapter: teacher.adapter }, cost, watch, place)
  const key = variable === undefined ? undefined : process.env[variable]
  if (variable !== undefined && !key)
    throw new UsageError(`teacher.api_key_env: expected a key in the variable ${variable}, got nothing. Set it`)
  const model = connect(url, {
    model: name!,
    dialect,
    jsonSchema: json_schema,
    concurrency,
    retries,
    timeoutSeconds: timeout_seconds,
    ...(key !== undefined && { key }),
    ...(body !== undefined && { body }),
    ...(cost !== undefined && { cost }),
  })
  return { model, version: JSON.stringify([url, json_schema, body ?? null]) }
}

async function ofOurs(
  named: { model: string; adapter: readonly string[] },
  cost: Cost | undefined,
  watch: Watch,
  place: TeacherPlace,
): Promise<OpenedTeacher> {
  // A service needs no LibTorch.
  const [{ resolveModels }, { loadLm }, { modelSource }] = await Promise.all([
    import('../resolve-model.ts'),
    import('../load-lm.ts'),
    import('../model-source.ts'),
  ])
  const { model: path, adapter } = await resolveModels(named, watch)
  const notice = (message: string): void => watch.tell?.({ type: 'notice', message })
  const lm = await loadLm(path, { adapter, ...place, tell: notice })
  const { base, adapters } = modelSource(path, adapter)
  const files = [base, ...adapters.map(({ directory }) => directory)].flatMap(modelFiles)
  const hashes: string[] = []
  for (const file of files) {
    hashes.push(hashFile(file))
    await turn(watch)
  }
  return { model: localModel(lm, cost === undefined ? {} : { cost }), version: hashOf(...hashes) }
}

/** What decides the answers of a model: weights, tokenizer, template and settings. */
function modelFiles(path: string): string[] {
  if (statSync(path).isFile()) return [path]
  return readdirSync(path)
    .filter((name) => /\.(?:safetensors|bin|json|jinja|model|txt)$/.test(name) && !name.startsWith('lineage'))
    .sort()
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile())
}
