// A whole run from a configuration: data, model, loop, checkpoints, final model. `anneal train` and `anneal demo` call it.
// Everything that can be wrong with the configuration is found before the first byte is written into `output_dir`.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readManifest, verifyCheckpoint } from '../../checkpoint/run-directory/manifest.ts'
import { findCheckpoints, latestValid } from '../../checkpoint/run-directory/run-directory.ts'
import type { Output } from '../../cli/output.ts'
import { reportTrainEvents } from '../../cli/report-train-events.ts'
import { dumpConfig } from '../../config/dump.ts'
import { stepsOf } from '../../config/fields.ts'
import type { ParsedConfig } from '../../config/parse.ts'
import { scheduleOptions } from '../../config/schedule-options.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { Batch } from '../../data/batch.ts'
import { ConfigError, exitCodeOf, UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { makeOutputDirectory } from '../../files/output-directory.ts'
import { Engine } from '../../infer/engine.ts'
import { collect } from '../../lm/lm.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { engineInfo, resolveDevice, setThreads } from '../../torch/index.ts'
import type { StepMetrics, TrainEvent } from '../../train/events.ts'
import type { Objective } from '../../train/objective.ts'
import { restoreRunState } from '../../train/run-state.ts'
import { makeSchedule } from '../../train/schedule.ts'
import { stepsIn } from '../../train/step-plan.ts'
import { type RunState, type TrainOptions, train } from '../../train/train.ts'
import { preflight } from '../memory/preflight.ts'
import { type Finetuning, finetuningOf } from './finetuning.ts'
import { type Fingerprint, leaveFingerprint } from './fingerprint.ts'
import { freshConfigOf, tokenizerOf } from './model-of.ts'
import { saveNonFinite } from './non-finite-file.ts'
import { rulesOf } from './rules-of.ts'
import { saveCheckpoint, saveFinal } from './run-files.ts'
import { RunLog } from './run-log.ts'
import { type SignalStop, stopOnSignals } from './signals.ts'
import { type StageData, stageDataOf } from './stage-data.ts'
import { TrainingPage } from './training-page.ts'
import { warnOfUntrainedStops } from './untrained-stops.ts'

const SAMPLE_TOKENS = 48

/** What a configuration stands for, made and checked. */
interface Run {
  config: TrainConfig
  tokenizer: Tokenizer
  data: StageData
  finetuning: Finetuning
  objective: Objective
  resumeFrom: string | undefined
}

/** Runs it all; returns the exit code (0, 6 when the last checkpoint could not be saved, 130 or 143 after a signal). */
export async function runTraining(
  parsed: ParsedConfig,
  output: Output,
  onEvent: (event: TrainEvent) => void = () => {},
): Promise<number> {
  const run = await prepare(parsed.config, output)
  const { config, data, finetuning, objective, tokenizer, resumeFrom } = run
  const { model } = finetuning
  const signals = stopOnSignals(output, config.save_strategy !== 'no')
  let failure: Error | undefined
  let step = 0
  let page: TrainingPage | undefined
  let fingerprint: Fingerprint | undefined
  try {
    writeFileAtomic(
      join(config.output_dir, 'train_config.yaml'),
      dumpConfig(parsed, ['Resolved configuration: every key, and where its value came from.']),
    )
    const source = data.train
    const { batchesPerEpoch } = source
    const { gradient_accumulation_steps: accumulation } = config
    const perEpoch = stepsIn(1, batchesPerEpoch, accumulation)
    const steps =
      config.max_steps > 0 ? config.max_steps : stepsIn(config.num_train_epochs, batchesPerEpoch, accumulation)
    const log = new RunLog(config, steps, output, resumeFrom)
    const parts = { config, finetuning, tokenizer, chatTemplate: data.chatTemplate, log }
    const options = optionsOf(run, parts, { steps, perEpoch, signals, output })
    page = new TrainingPage(parsed, log, options.rules ?? [], output)
    const events = watched(train(model, source, objective, options), data.watch)
    for await (const event of reportTrainEvents(events, output)) {
      log.take(event)
      page.take(event)
      onEvent(event)
      if (event.type === 'checkpoint-failed') failure = event.error
      if (event.type === 'checkpoint-saved') failure = undefined
      if (event.type === 'run-end') step = event.step
    }
    if (signals.code === undefined) {
      await saveFinal(parts, step)
      fingerprint = await leaveFingerprint(config, tokenizer, model, step, output)
    }
  } finally {
    page?.end(fingerprint)
    signals.release()
    data.close()
    model.free()
  }
  return failure === undefined ? (signals.code ?? 0) : exitCodeOf(failure)
}

/** Checks and makes everything; a wrong configuration leaves nothing behind, not even an empty `output_dir`. */
async function prepare(config: TrainConfig, output: Output): Promise<Run> {
  const device = resolveDevice(config.device)
  if (config.threads !== undefined) setThreads(config.threads)
  const { tokenizer, hash } = await tokenizerOf(config)
  freshConfigOf(config, tokenizer) // a wrong model is said before hours of tokenizing
  const removeAgain = makeOutputDirectory(config.output_dir, 'output_dir')
  let data: StageData | undefined
  let model: Decoder | undefined
  try {
    const resumeFrom = checkpointToResume(config, output)
    data = await stageDataOf(config, tokenizer, hash, output)
    const finetuning = finetuningOf(config, tokenizer, data.stopTokenIds, device, resumeFrom, output)
    model = finetuning.model
    checkLength(config, finetuning)
    model.gradientCheckpointing = config.gradient_checkpointing
    const stageObjective = await data.objective(finetuning, resumeFrom === undefined)
    const objective = finetuning.objective?.(stageObjective) ?? stageObjective
    warnOfUntrainedStops(model, data.stopTokenIds, tokenizer, output)
    preflight({ config, model, train: data.train, evaluation: data.evaluation, objective }, output)
    return { config, tokenizer, data, finetuning, objective, resumeFrom }
  } catch (error) {
    data?.close()
    model?.free()
    removeAgain()
    throw error
  }
}

/** Learned positions end; rotary ones go on. */
function checkLength({ max_length }: TrainConfig, { model, reader }: Finetuning): void {
  const { hasLearnedPositions, maxPositionEmbeddings } = model.config
  const most = maxPositionEmbeddings - (reader?.prefix?.length ?? 0)
  if (!hasLearnedPositions || max_length <= most) return
  throw new ConfigError(
    `max_length: expected at most the model's ${most} positions${most < maxPositionEmbeddings ? ' behind the prompt' : ''}, got ${max_length}. Use a shorter one`,
  )
}

/** The events of the loop, with notices of what the stage sees in the metrics. */
async function* watched(
  events: AsyncIterable<TrainEvent>,
  watch: (metrics: StepMetrics) => string | undefined = () => undefined,
): AsyncGenerator<TrainEvent> {
  for await (const event of events) {
    yield event
    const message = event.type === 'step-done' ? watch(event.metrics) : undefined
    if (message !== undefined) yield { type: 'notice', message }
  }
}

/** The configuration in the words of the loop. `perEpoch`: optimizer steps. */
function optionsOf(
  { config, data, finetuning: { model, rateOf, reader = { model } }, tokenizer, resumeFrom }: Run,
  parts: Parameters<typeof saveCheckpoint>[0],
  { steps, perEpoch, signals, output }: { steps: number; perEpoch: number; signals: SignalStop; output: Output },
): TrainOptions<Batch> {
  const every = (strategy: 'no' | 'steps' | 'epoch', interval: number): number | undefined =>
    strategy === 'no' ? undefined : strategy === 'epoch' ? perEpoch : stepsOf(interval, steps)
  const evaluateEvery = every(config.eval_strategy, config.eval_steps)
  const saveEvery = every(config.save_strategy, config.save_steps)
  const held = data.evaluation
  return {
    steps,
    ...(config.max_steps <= 0 && { epochs: config.num_train_epochs }),
    learningRate: config.learning_rate,
    schedule: makeSchedule(config.lr_scheduler_type, scheduleOptions(config, steps)),
    gradientAccumulation: config.gradient_accumulation_steps,
    optimizer: {
      beta1: config.adam_beta1,
      beta2: config.adam_beta2,
      epsilon: config.adam_epsilon,
      weightDecay: config.weight_decay,
      ...(rateOf && { rateOf }),
    },
    maxGradNorm: config.max_grad_norm,
    bf16: config.bf16 === 'auto' ? model.device !== 'cpu' : config.bf16,
    seed: config.seed,
    onNonFinite: config.on_nonfinite,
    reportNonFinite: (report) => saveNonFinite(config.output_dir, report),
    rules: rulesOf(config, model),
    stop: signals,
    ...(evaluateEvery !== undefined &&
      held && {
        evaluate: {
          batches: held,
          every: evaluateEvery,
          metric: config.metric_for_best_model,
          greaterIsBetter: config.greater_is_better,
          threshold: config.early_stopping_threshold,
          saveBest: config.load_best_model_at_end,
          ...(config.early_stopping_patience !== undefined && { patience: config.early_stopping_patience }),
        },
      }),
    ...(saveEvery !== undefined && { save: { every: saveEvery, write: (state) => saveCheckpoint(parts, state) } }),
    ...(config.sample_prompts.length > 0 && {
      sample: {
        every: stepsOf(config.sample_steps, steps),
        texts: (now) => samples(now, reader, tokenizer, config.sample_prompts),
      },
    }),
    ...(resumeFrom !== undefined && { resume: (state) => resume(resumeFrom, state, output) }),
  }
}

/** The checkpoint that the configuration says to go on from; undefined for a run from the start. */
function checkpointToResume(config: TrainConfig, output: Output): string | undefined {
  const { output_dir, resume_from_checkpoint: wish } = config
  sweepLeftovers(output_dir)
  const sayDamaged = (path: string, problem: string): void =>
    output.note(`notice: ${path} is damaged and is left out: ${problem}`)
  if (wish === undefined) {
    const [old] = findCheckpoints(output_dir)
    if (old === undefined) return undefined
    // Resuming could not tell the two runs apart.
    throw new UsageError(
      `output_dir: expected a folder without checkpoints for a new run, got ${old.path}. Go on with --resume_from_checkpoint auto, or choose another output_dir`,
    )
  }
  if (wish !== 'auto') verifyCheckpoint(wish)
  const path = wish !== 'auto' ? wish : latestValid(output_dir, sayDamaged)?.path
  if (path === undefined) output.note(`notice: no whole checkpoint in ${output_dir}, starting from the beginning`)
  else if (!existsSync(join(path, 'run_state.json'))) {
    throw new UsageError(
      `resume_from_checkpoint: expected a checkpoint with run_state.json, got ${path}, which was saved with save_only_model`,
    )
  }
  return path
}

function resume(directory: string, run: RunState, output: Output): void {
  restoreRunState(directory, run)
  const { meta } = readManifest(directory)
  const place = (version: unknown, device: unknown, threads: unknown): string =>
    `LibTorch ${version} on ${device} with ${threads} threads`
  const before = place(meta.versions.torch, meta.device, meta.threads)
  const { version, threads } = engineInfo()
  const now = place(version, run.generator.device, threads)
  if (before !== now) output.note(`notice: saved with ${before}, now ${now}: bit-equal results are not promised`)
}

/** Greedy continuations of the prompts by the model as it is now, without dropout. */
async function samples(
  model: Decoder,
  reader: NonNullable<Finetuning['reader']>,
  tokenizer: Tokenizer,
  prompts: readonly string[],
): Promise<{ prompt: string; text: string }[]> {
  const { generator } = model
  model.generator = null
  const engine = new Engine({ ...reader, tokenizer })
  const texts = []
  for (const prompt of prompts)
    texts.push({
      prompt,
      text: (await collect(engine.generate({ prompt, maxNewTokens: SAMPLE_TOKENS, temperature: 0 }))).text,
    })
  model.generator = generator
  return texts
}
