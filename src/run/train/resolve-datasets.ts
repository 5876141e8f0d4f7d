// The names of data in a training configuration → the same names with the commits that they have now, whose files are in the cache.
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
    ...(held && { eval_dataset: await resolveData(held, watch, { usual: null, began: texts(began.eval_dataset) }) }),
  }
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}
