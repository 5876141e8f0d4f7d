// A run up to its first step, for `--dry-run`: it reads, loads, checks and tries all that the run would, fails as the run would, and
// leaves nothing behind but tokenized text in the cache, which the run then finds.

import { ngramModel } from '../../config/ngram-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { eventsOf } from '../../work.ts'
import { prepareRun } from './prepare-run.ts'
import type { RunEvent, RunOnlyEvent } from './run-events.ts'
import { describeRun } from './run-training.ts'
import { trainNgrams } from './train-ngrams.ts'

/** Tells of the data, with a sample, and of the memory. Throws what `runTraining` would throw before its first step. */
export async function* checkTraining(
  config: TrainConfig,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<RunEvent, void> {
  yield { type: 'started', work: 'train', message: describeRun(config) }
  if (ngramModel(config) !== undefined) return void (yield* trainNgrams(config, { signal, isTrial: true }))
  yield* eventsOf<void, RunOnlyEvent>(async (watch) => (await prepareRun(config, watch, true)).close(), { signal })
}
