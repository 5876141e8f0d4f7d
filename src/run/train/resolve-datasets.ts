// The names of data in a training configuration → the same names with the commits that they have now, whose files are in the cache.
import type { HeldData } from '../../config/data-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { resolveData } from '../resolve-data.ts'
import { beginningOf } from './resolve-names.ts'
import type { RunWatch } from './run-events.ts'

/** The configuration with `ORG/NAME@commit:split` in place of names on the hub, which is how it is kept, too. Nobody evaluates on `train` by chance. */
export async function resolveDatasets(config: TrainConfig, watch: RunWatch): Promise<TrainConfig> {
  const { dataset, eval_dataset: held } = config
  const began = beginningOf(config)
  return {
    ...config,
    dataset: await resolveData(dataset, watch, { began: texts(began.dataset) }),
    ...(held && { eval_dataset: await resolveHeld(held, watch, texts(began.eval_dataset)) }),
  }
}

async function resolveHeld(held: HeldData, watch: RunWatch, began: readonly string[]): Promise<HeldData> {
  const resolve = (paths: readonly string[]): Promise<string[]> => resolveData(paths, watch, { usual: null, began })
  if (Array.isArray(held)) return resolve(held)
  const sets: Record<string, string[]> = {}
  for (const [name, paths] of Object.entries(held)) sets[name] = await resolve(paths)
  return sets
}

/** Every text in a list, or in the lists of a map. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : []
}
