// Cross-fitting: a run for each fold, which learns from the others and says the logits of its own after every epoch; then their map.

import { join } from 'node:path'
import type { TrainConfig } from '../../config/schema.ts'
import { UsageError } from '../../errors.ts'
import type { RunEvent } from '../train/run-events.ts'
import { runTraining } from '../train/run-training.ts'
import { type DatamapResult, runDatamap } from './run-datamap.ts'

/** How many folds, and how it is stopped. */
export interface CrossfitOptions {
  /** Default 5, or the configuration's. */
  folds?: number | undefined
  signal?: AbortSignal
}

/**
 * Trains `fold-0`, `fold-1`, … in the configuration's `output_dir` and maps them; undefined where it was stopped. With
 * `resume_from_checkpoint: auto` folds that are done are not trained again.
 */
export async function* runCrossfit(
  config: TrainConfig,
  { folds = config.crossfit_folds ?? 5, signal }: CrossfitOptions = {},
): AsyncGenerator<RunEvent, DatamapResult | undefined> {
  if (config.stage !== 'classify')
    throw new UsageError(`stage: expected classify, whose labels are judged, got ${config.stage}`)
  if (!Number.isInteger(folds) || folds < 2) throw new UsageError(`folds: expected an integer ≥ 2, got ${folds}`)
  for (let fold = 0; fold < folds; fold++) {
    const own = { training_dynamics: 'crossfit', crossfit_folds: folds, crossfit_fold: fold } as const
    const run = runTraining({ ...config, ...own, output_dir: join(config.output_dir, `fold-${fold}`) }, { signal })
    const { reason } = yield* run
    if (reason === 'stopped') return undefined
  }
  return yield* runDatamap({ runs: [config.output_dir], ...(signal && { signal }) })
}
