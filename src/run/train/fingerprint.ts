// Sixteen hexadecimal digits that two runs share when they are the same run: configuration, data, code, and the weights that came
// of it. fingerprint.json keeps the four parts, so that two runs that differ show where.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { heldPaths } from '../../config/data-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { listFiles } from '../../data/read/files.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { ContentHash, hashOf } from '../../files/hash.ts'
import { readJsonFile } from '../../files/read-json.ts'
import type { AnyModel } from '../../model/any-model.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { engineInfo } from '../../torch/index.ts'
import { VERSION } from '../../version.ts'
import { pinnedConfig } from './resolve-names.ts'

const FILE = 'fingerprint.json'
const DIGITS = 16

/** Where things are and what is shown; the contents of data and model count, not their places. */
export const PLACES: ReadonlySet<string> = new Set([
  'output_dir',
  'dataset',
  'eval_dataset',
  'model_name_or_path',
  'tokenizer_name_or_path',
  'config_path',
  'resume_from_checkpoint',
  'logging_steps',
  'report_to',
  'sample_prompts',
  'sample_steps',
  'save_steps',
  'save_strategy',
  'save_total_limit',
  'save_only_model',
])

/** Hashes of what went into a run and of what came out: equal runs have equal ones. */
export interface Fingerprint {
  fingerprint: string
  config: string
  data: string
  code: string
  state: string
}

/** Computes the fingerprint of a run whose weights are `model`'s after `step` steps, saves it beside the result, and returns it. */
export async function leaveFingerprint(
  config: TrainConfig,
  tokenizer: Tokenizer,
  model: AnyModel,
  step: number,
): Promise<Fingerprint> {
  const parts = {
    config: configHash(config),
    data: await dataHash([...config.dataset, ...(heldPaths(config.eval_dataset) ?? [])], tokenizer),
    code: shortened(hashOf(`${VERSION} ${engineInfo().version} ${model.device}`)),
    state: stateHash(model, step),
  }
  const fingerprint: Fingerprint = { fingerprint: shortened(hashOf(...Object.values(parts))), ...parts }
  writeFileAtomic(join(config.output_dir, FILE), `${JSON.stringify(fingerprint, null, 2)}\n`)
  return fingerprint
}

/** The fingerprint that a run of this configuration left when it was finished; undefined where there is none, or of another configuration. */
export function leftFingerprint(config: TrainConfig): Fingerprint | undefined {
  const file = join(config.output_dir, FILE)
  if (!existsSync(file)) return undefined
  const left = readJsonFile(file) as Fingerprint
  return left.config === configHash(config) ? left : undefined
}

function configHash(config: TrainConfig): string {
  const kept = Object.entries(pinnedConfig(config)).filter(([key, value]) => !PLACES.has(key) && value !== undefined)
  return shortened(hashOf(JSON.stringify(kept.sort(([a], [b]) => (a < b ? -1 : 1)))))
}

async function dataHash(paths: readonly string[], tokenizer: Tokenizer): Promise<string> {
  const hash = new ContentHash().add(JSON.stringify(tokenizer.toJson()))
  for (const file of listFiles(paths)) await hash.addFile(file)
  return shortened(hash.digest())
}

/** Every weight, frozen ones included, and the step after which they are these. */
function stateHash(model: AnyModel, step: number): string {
  const hash = new ContentHash().add(`${step}`)
  for (const [name, parameter] of model.parameters()) hash.add(name, parameter.detach().data())
  return shortened(hash.digest())
}

function shortened(hash: string): string {
  return hash.slice(0, DIGITS)
}
