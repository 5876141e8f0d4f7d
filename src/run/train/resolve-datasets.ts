// The names of data in a training configuration → the same names with the commits that they have now, whose files are in the cache.
import type { TrainConfig } from '../../config/schema.ts'
import { resolveData } from '../resolve-data.ts'
import type { RunWatch } from './run-events.ts'

/** The configuration with `ORG/NAME@commit:split` in place of names on the hub, which is how it is kept, too. Nobody evaluates on `train` by chance. */
export async function resolveDatasets(config: TrainConfig, watch: RunWatch): Promise<TrainConfig> {
  const { dataset, eval_dataset: held } = config
  return {
    ...config,
    dataset: await resolveData(dataset, watch),
    ...(held && { eval_dataset: await resolveData(held, watch, { usual: null }) }),
  }
}
