// The names of models in a training configuration: to paths before anything is read, and back to name and commit where the configuration is kept,
// so that a run names exactly what it began from and goes on from the same commit when its branch has moved.
import { readManifest } from '../../checkpoint/run-directory/manifest.ts'
import { findCheckpoints } from '../../checkpoint/run-directory/run-directory.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { AnnealError } from '../../errors.ts'
import { COMMIT, formatHubName, isHubName, parseHubName } from '../../hub/hub-name.ts'
import { pinnedName } from '../../hub/snapshot.ts'
import type { Watch } from '../../work.ts'
import { resolveModelPath } from '../resolve-model.ts'

/** Keys that name a model or what goes with one. */
const NAMES = ['model_name_or_path', 'adapter_name_or_path', 'ref_model', 'tokenizer_name_or_path'] as const

/** The configuration with paths in place of names on the hub; what they name is pulled. A run that is resumed takes the commits that it began with. */
export async function resolveNames(config: TrainConfig, watch: Watch): Promise<TrainConfig> {
  const began = beginningOf(config)
  const resolved: Record<string, string> = {}
  for (const key of NAMES) {
    const text = config[key]
    if (text === undefined) continue
    // The tokenizer is the model's own unless another one is named.
    const isModels = key === 'tokenizer_name_or_path' && text === config.model_name_or_path
    const need = key === 'tokenizer_name_or_path' ? 'tokenizer' : 'model'
    resolved[key] = isModels
      ? resolved.model_name_or_path!
      : await resolveModelPath(asBegun(text, began[key]), watch, need)
  }
  return { ...config, ...resolved }
}

/** The configuration as it is kept: `ORG/NAME@commit` in place of a folder of the cache. */
export function pinnedConfig(config: TrainConfig): TrainConfig {
  const pinned = NAMES.flatMap((key) => (config[key] === undefined ? [] : [[key, pinnedName(config[key])]]))
  return { ...config, ...Object.fromEntries(pinned) }
}

/** The name with the commit that it had when the run began, where it is the same name and says no commit itself. */
function asBegun(text: string, before: unknown): string {
  if (typeof before !== 'string' || !isHubName(text) || !isHubName(before)) return text
  const [now, then] = [parseHubName(text), parseHubName(before)]
  const isSame =
    now.repo === then.repo && (now.part === then.part || now.part === undefined || !now.part.endsWith('.gguf'))
  return isSame && !COMMIT.test(now.revision) && COMMIT.test(then.revision) ? formatHubName(then) : text
}

/** The configuration in the newest checkpoint that the run may go on from; empty where there is none. What is wrong with it is said elsewhere. */
export function beginningOf({
  resume_from_checkpoint: wish,
  output_dir,
}: TrainConfig): Readonly<Record<string, unknown>> {
  if (wish === undefined) return {}
  const places = wish === 'auto' ? findCheckpoints(output_dir).map(({ path }) => path) : [wish]
  for (const place of places) {
    try {
      const { origin } = readManifest(place).meta as { origin?: { config?: Record<string, unknown> } }
      if (origin?.config !== undefined) return origin.config
    } catch (error) {
      if (!(error instanceof AnnealError)) throw error
    }
  }
  return {}
}
