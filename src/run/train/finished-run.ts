// Whether a run that is to go on has nothing left to do: then its record (times, page, results) stays that of the run that did the work.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readManifest } from '../../checkpoint/run-directory/manifest.ts'
import { readTrainerState, TRAINER_STATE } from '../../checkpoint/run-directory/trainer-state.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { leftFingerprint } from './fingerprint.ts'
import { finalOf } from './resume-point.ts'
import type { TrainResult } from './run-events.ts'

/** How a run of this configuration ended at the checkpoint `resumeFrom`, with its final model; undefined where something is left to do. */
export function finishedRun(config: TrainConfig, resumeFrom: string, steps: number): TrainResult | undefined {
  const { output_dir: directory } = config
  const results = join(directory, 'all_results.json')
  if (![join(directory, TRAINER_STATE), results].every(existsSync) || finalOf(directory) === undefined) return undefined
  // Written last: what is there with this configuration was finished with it.
  const fingerprint = leftFingerprint(config)
  const { step } = readManifest(resumeFrom)
  if (fingerprint === undefined || readTrainerState(directory).global_step !== step) return undefined
  const kept = readJsonFile(results) as Record<string, number>
  return {
    directory,
    step,
    reason: step < steps ? 'early-stopping' : 'finished',
    metrics: Object.fromEntries(Object.entries(kept).filter(([name]) => name.startsWith('train_'))),
    isSaved: true,
    keptStep: kept.kept_step,
    saveError: undefined,
    fingerprint,
  }
}
