// A whole run from a configuration: data, model, loop, checkpoints, final model, as a generator of events. The command line prints
// them, a server streams them, a page draws them.

import { join } from 'node:path'
import { dumpConfig } from '../../config/dump.ts'
import { ngramModel } from '../../config/ngram-keys.ts'
import type { ConfigKey, TrainConfig } from '../../config/schema.ts'
import { trainKind } from '../../config/train-kind.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { stepsOf } from '../../methods/fields.ts'
import type { TrainEvent } from '../../train/events.ts'
import { stepsIn } from '../../train/step-plan.ts'
import { train } from '../../train/train.ts'
import { eventsOf } from '../../work.ts'
import { writeClassifierCard } from './classifier-card.ts'
import { leaveFingerprint } from './fingerprint.ts'
import { finishedRun } from './finished-run.ts'
import { keepThresholds } from './keep-thresholds.ts'
import { loopOptions } from './loop-options.ts'
import { prepareRun, type Run } from './prepare-run.ts'
import { DynamicsRecording } from './record-dynamics.ts'
import { pinnedConfig } from './resolve-names.ts'
import type { RunEvent, RunOnlyEvent, RunTell, TrainResult } from './run-events.ts'
import { saveFinal } from './run-files.ts'
import { RunLog } from './run-log.ts'
import { trainNgrams } from './train-ngrams.ts'
import { TrainingPage } from './training-page.ts'

/** How a run is stopped, and where its configuration came from. */
export interface RunTrainingOptions {
  /** Aborted: the step is finished, a checkpoint is saved unless `save_strategy` is `no`, and the run ends as `stopped`. */
  signal?: AbortSignal | undefined
  /** Where values of the configuration came from, for the comments of train_config.yaml. */
  origins?: Readonly<Partial<Record<ConfigKey, string>>>
}

/**
 * Trains as the configuration says, and returns how it ended. Wrong configurations and data throw before anything is written; a
 * checkpoint that cannot be saved does not end the run. A reader that stops early (`break`) ends it without saving.
 *
 * @example
 * const config = trainConfig({ stage: 'sft', model_name_or_path: 'models/base', dataset: 'chats.jsonl', output_dir: 'runs/chats' })
 * for await (const event of runTraining(config)) if (event.type === 'step-done') console.log(event.metrics.loss)
 */
export async function* runTraining(
  given: TrainConfig,
  { signal, origins }: RunTrainingOptions = {},
): AsyncGenerator<RunEvent, TrainResult> {
  yield { type: 'started', work: 'train', message: describeRun(given) }
  if (ngramModel(given) !== undefined) return yield* trainNgrams(given, { signal, origins })
  let run: Run
  try {
    run = yield* eventsOf<Run, RunOnlyEvent>((watch) => prepareRun(given, watch), { signal })
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return { ...nothingDone(given), reason: 'stopped' }
    throw error
  }
  const { config } = run
  const told: RunEvent[] = []
  const tell = ((event: RunEvent) => void told.push(event)) as RunTell
  let page: TrainingPage | undefined
  try {
    const { finetuning, tokenizer, data, objective, resumeFrom } = run
    const { batchesPerEpoch } = data.train
    const { gradient_accumulation_steps: accumulation, max_steps, num_train_epochs } = config
    const steps = max_steps > 0 ? max_steps : stepsIn(num_train_epochs, batchesPerEpoch, accumulation)
    const finished = resumeFrom === undefined ? undefined : finishedRun(config, resumeFrom, steps)
    if (finished !== undefined) {
      yield {
        type: 'notice',
        message: `nothing is left to do: ${config.output_dir} has the final model of this run after step ${finished.step}, and its files stay as they are. To train on, raise num_train_epochs or max_steps`,
      }
      return finished
    }
    const kept = { config: pinnedConfig(config), origins }
    writeFileAtomic(
      join(config.output_dir, 'train_config.yaml'),
      dumpConfig(trainKind, kept, ['Resolved configuration: every key, and where its value came from.']),
    )
    const warmup = stepsOf(config.warmup_steps, steps)
    if (warmup >= steps && warmup > 0)
      tell({
        type: 'notice',
        message: `warmup_steps: the learning rate rises for ${warmup} step${warmup === 1 ? '' : 's'} and the run has ${steps}, so it never reaches ${config.learning_rate}. ${config.warmup_steps < 1 ? 'Set warmup_steps: 0, or train for more steps' : 'Lower warmup_steps, or give a fraction of the run such as 0.03'}`,
      })
    const log = new RunLog(config, steps, (message) => tell({ type: 'notice', message }), resumeFrom)
    const parts = { config, finetuning, tokenizer, chatTemplate: data.chatTemplate, log, origin: run.origin }
    const perEpoch = stepsIn(1, batchesPerEpoch, accumulation)
    const { labels = [], recorded } = data
    const recording =
      recorded && new DynamicsRecording(config, recorded, { labels, batchesPerEpoch, bf16: run.bf16, tell })
    const options = loopOptions(run, parts, { steps, perEpoch, stop: signal, tell, more: recording?.rules() ?? [] })
    page = new TrainingPage(kept, log, { rules: options.rules ?? [], stage: data.figures }, tell)
    let result: TrainResult = nothingDone(config)
    for await (const event of train(
      finetuning.model,
      data.train,
      recording?.objective(objective) ?? objective,
      options,
    )) {
      await recording?.take(event, finetuning.model)
      yield* told.splice(0)
      log.take(event)
      page.take(event)
      result = takeInto(result, event)
      yield event
      const message = event.type === 'step-done' ? data.watch?.(event.metrics) : undefined
      if (message !== undefined) yield { type: 'notice', message }
    }
    // What was stopped goes on from its checkpoint; a final model would say that it is done.
    if (signal?.aborted) result = { ...result, reason: 'stopped' }
    else result = yield* finish(run, parts, result, tell)
    page.end(result.fingerprint)
    yield* told.splice(0)
    return result
  } catch (error) {
    page?.end(undefined) // its curves may say why
    yield* told.splice(0)
    throw error
  } finally {
    run.close()
  }
}

/** What is trained, how and from what, and where it goes. */
export function describeRun({ stage, finetuning, model_name_or_path: base, output_dir }: TrainConfig): string {
  return `stage: ${stage}, finetuning: ${finetuning}, from ${base ?? 'fresh weights'}, into ${output_dir}`
}

function nothingDone({ output_dir }: TrainConfig): TrainResult {
  const nothing = { keptStep: undefined, saveError: undefined, fingerprint: undefined }
  return { directory: output_dir, step: 0, reason: 'finished', metrics: {}, isSaved: false, ...nothing }
}

function takeInto(result: TrainResult, event: TrainEvent): TrainResult {
  if (event.type === 'checkpoint-failed') return { ...result, saveError: event.error }
  if (event.type === 'checkpoint-saved') return { ...result, saveError: undefined }
  return event.type === 'run-end'
    ? { ...result, step: event.step, reason: event.reason, metrics: event.metrics }
    : result
}

/** Leaves the final model and the fingerprint of the run. */
async function* finish(
  { config, tokenizer, finetuning, data }: Run,
  parts: Parameters<typeof saveFinal>[0],
  result: TrainResult,
  tell: RunTell,
): AsyncGenerator<RunEvent, TrainResult> {
  const { step } = result
  const { keptStep, notices } = await saveFinal(parts, step)
  for (const message of notices) yield { type: 'notice', message }
  if (data.labels !== undefined) {
    const { labels } = data
    const evaluation = parts.log.evaluationAt(keptStep)
    const thresholds = keepThresholds(config.output_dir, labels, evaluation, tell)
    writeClassifierCard(config.output_dir, config, { labels, thresholds, evaluation, step: keptStep })
  }
  yield { type: 'saved', what: 'model', path: config.output_dir }
  const fingerprint = await leaveFingerprint(config, tokenizer, finetuning.model, step)
  yield { type: 'fingerprint', fingerprint }
  return { ...result, isSaved: true, keptStep, fingerprint }
}
