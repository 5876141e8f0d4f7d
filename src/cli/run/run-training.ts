// A whole run from a configuration: data, model, loop, checkpoints, final model. `anneal train` and `anneal demo` call it.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../checkpoint/atomic-write.ts'
import { appendLineage } from '../../checkpoint/lineage.ts'
import { loadDecoder } from '../../checkpoint/load.ts'
import { verifyCheckpoint } from '../../checkpoint/manifest.ts'
import { latestValid, writeCheckpoint } from '../../checkpoint/run-directory.ts'
import { saveDecoder } from '../../checkpoint/save.ts'
import { batches } from '../../data/batches.ts'
import { ConfigError, exitCodeOf } from '../../errors.ts'
import { Engine } from '../../infer/engine.ts'
import { collect } from '../../infer/lm.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { engineInfo, resolveDevice, setThreads } from '../../torch/index.ts'
import type { TrainEvent } from '../../train/events.ts'
import { languageModeling } from '../../train/objective.ts'
import { restoreRunState, saveRunState } from '../../train/run-state.ts'
import { makeSchedule } from '../../train/schedule.ts'
import { type RunState, type TrainOptions, train } from '../../train/train.ts'
import { dumpConfig } from '../config/dump.ts'
import { stepsOf } from '../config/fields.ts'
import type { ParsedConfig } from '../config/parse.ts'
import { scheduleOptions } from '../config/schedule-options.ts'
import type { TrainConfig } from '../config/schema.ts'
import type { Output } from '../output.ts'
import { reportTrainEvents } from '../report-train-events.ts'
import { corporaOf } from './corpus-of.ts'
import { freshConfigOf, modelOf, tokenizerOf } from './model-of.ts'
import { RunLog } from './run-log.ts'
import { stopOnSignals } from './signals.ts'

const SAMPLE_TOKENS = 48

/** Runs it all; returns the exit code (0, 6 when the last checkpoint could not be saved, 130 or 143 after a signal). */
export async function runTraining(
  parsed: ParsedConfig,
  output: Output,
  onEvent: (event: TrainEvent) => void = () => {},
): Promise<number> {
  const { config } = parsed
  const device = resolveDevice(config.device)
  if (config.threads !== undefined) setThreads(config.threads)
  const { tokenizer, hash } = await tokenizerOf(config)
  freshConfigOf(config, tokenizer) // a wrong model is said before hours of tokenizing
  const resumeFrom = checkpointToResume(config, output)
  mkdirSync(config.output_dir, { recursive: true })
  writeFileAtomic(
    join(config.output_dir, 'train_config.yaml'),
    dumpConfig(parsed, ['Resolved configuration: every key, and where its value came from.']),
  )
  const corpora = await corporaOf(config, tokenizer, hash, output)
  const source = batches(corpora.train, { batchSize: config.per_device_train_batch_size, seed: config.data_seed })
  const perEpoch = source.batchesPerEpoch / config.gradient_accumulation_steps
  const steps = config.max_steps > 0 ? config.max_steps : Math.max(1, Math.ceil(config.num_train_epochs * perEpoch))
  const model = modelOf(config, tokenizer, device, resumeFrom)
  model.gradientCheckpointing = config.gradient_checkpointing
  for (const [, parameter] of model.parameters()) parameter.requiresGrad = true

  const log = new RunLog(config, steps, resumeFrom)
  const signals = stopOnSignals(output)
  const held =
    corpora.evaluation &&
    batches(corpora.evaluation, { batchSize: config.per_device_eval_batch_size, shuffle: false, dropLast: false })
  const every = (strategy: 'no' | 'steps' | 'epoch', interval: number): number | undefined =>
    strategy === 'no' ? undefined : strategy === 'epoch' ? Math.max(1, Math.floor(perEpoch)) : stepsOf(interval, steps)
  const evaluateEvery = every(config.eval_strategy, config.eval_steps)
  const saveEvery = every(config.save_strategy, config.save_steps)
  const options: TrainOptions<ReturnType<typeof source.at>> = {
    steps,
    learningRate: config.learning_rate,
    schedule: makeSchedule(config.lr_scheduler_type, scheduleOptions(config, steps)),
    gradientAccumulation: config.gradient_accumulation_steps,
    optimizer: {
      beta1: config.adam_beta1,
      beta2: config.adam_beta2,
      epsilon: config.adam_epsilon,
      weightDecay: config.weight_decay,
    },
    maxGradNorm: config.max_grad_norm,
    bf16: config.bf16 === 'auto' ? device === 'cuda' : config.bf16,
    seed: config.seed,
    onNonFinite: config.on_nonfinite,
    stop: signals,
    ...(evaluateEvery !== undefined &&
      held && {
        evaluate: {
          batches: held,
          every: evaluateEvery,
          metric: config.metric_for_best_model,
          greaterIsBetter: config.greater_is_better,
          threshold: config.early_stopping_threshold,
          ...(config.early_stopping_patience !== undefined && { patience: config.early_stopping_patience }),
        },
      }),
    ...(saveEvery !== undefined && {
      save: { every: saveEvery, write: (run) => saveCheckpoint(config, run, model, tokenizer, log) },
    }),
    ...(config.sample_prompts.length > 0 && {
      sample: {
        every: stepsOf(config.sample_steps, steps),
        texts: (now) => samples(now, tokenizer, config.sample_prompts),
      },
    }),
    ...(resumeFrom !== undefined && { resume: (run) => resume(resumeFrom, run, output) }),
  }
  let failure: Error | undefined
  let best: number | undefined
  try {
    for await (const event of reportTrainEvents(train(model, source, languageModeling(), options), output)) {
      log.take(event)
      onEvent(event)
      if (event.type === 'checkpoint-failed') failure = event.error
      if (event.type === 'checkpoint-saved') failure = undefined
      if (event.type === 'evaluation-done' && event.isBest) best = event.step
    }
    if (signals.code === undefined) await saveFinal(config, model, tokenizer, log, steps, best)
  } finally {
    signals.release()
    corpora.train.close()
    corpora.evaluation?.close()
    model.free()
  }
  return signals.code ?? (failure === undefined ? 0 : exitCodeOf(failure))
}

/** The checkpoint that the configuration says to go on from; undefined for a run from the start. */
function checkpointToResume(config: TrainConfig, output: Output): string | undefined {
  const wish = config.resume_from_checkpoint
  if (wish === undefined) return undefined
  if (wish !== 'auto') {
    verifyCheckpoint(wish)
    return wish
  }
  const found = latestValid(config.output_dir, (path, problem) =>
    output.note(`notice: ${path} is damaged and is left out: ${problem}`),
  )
  if (found === undefined)
    output.note(`notice: no whole checkpoint in ${config.output_dir}, starting from the beginning`)
  return found?.path
}

function resume(directory: string, run: RunState, output: Output): void {
  if (!existsSync(join(directory, 'run_state.json'))) {
    throw new ConfigError(
      `resume_from_checkpoint: expected a checkpoint with run_state.json, got ${directory}, which was saved with save_only_model`,
    )
  }
  restoreRunState(directory, run)
  const { meta } = verifyCheckpoint(directory)
  const now = { torch: engineInfo().version, threads: engineInfo().threads }
  if (meta.versions.torch !== now.torch || meta.threads !== now.threads) {
    output.note(
      `notice: saved with LibTorch ${meta.versions.torch} on ${meta.threads} threads, now ${now.torch} on ${now.threads}: bit-equal results are not promised`,
    )
  }
}

/** Writes checkpoint-N and returns its path. */
async function saveCheckpoint(
  config: TrainConfig,
  run: RunState,
  model: Decoder,
  tokenizer: Tokenizer,
  log: RunLog,
): Promise<string> {
  const bestStep = run.best?.step
  const saved = await writeCheckpoint(
    config.output_dir,
    run.step,
    async (directory) => {
      await tokenizer.save(directory)
      return [
        ...saveDecoder(model, directory),
        log.write(directory, run.step),
        ...(config.save_only_model ? [] : saveRunState(directory, run)),
      ]
    },
    {
      versions: { torch: engineInfo().version, node: process.versions.node },
      threads: engineInfo().threads,
      seeds: { seed: config.seed, data_seed: config.data_seed },
      device: model.device,
    },
    {
      ...(config.save_total_limit !== undefined && { saveTotalLimit: config.save_total_limit }),
      ...(bestStep !== undefined && { bestCheckpoint: join(config.output_dir, `checkpoint-${bestStep}`) }),
    },
  )
  return saved.path
}

/** The final model at the top of `output_dir`: the last weights, or the best checkpoint's. */
async function saveFinal(
  config: TrainConfig,
  model: Decoder,
  tokenizer: Tokenizer,
  log: RunLog,
  steps: number,
  best: number | undefined,
): Promise<void> {
  const bestDirectory = join(config.output_dir, `checkpoint-${best}`)
  if (config.load_best_model_at_end && best !== undefined && existsSync(bestDirectory)) {
    const chosen = loadDecoder(bestDirectory)
    saveDecoder(chosen, config.output_dir)
    chosen.free()
  } else {
    saveDecoder(model, config.output_dir)
  }
  await tokenizer.save(config.output_dir)
  log.write(config.output_dir, steps)
  appendLineage(config.output_dir, {
    pass: config.stage,
    options: JSON.parse(JSON.stringify(config)),
    report: { steps },
    date: new Date().toISOString(),
    annealVersion: '0.1.0',
  })
}

/** Greedy continuations of the prompts by the model as it is now. */
async function samples(
  model: Decoder,
  tokenizer: Tokenizer,
  prompts: readonly string[],
): Promise<{ prompt: string; text: string }[]> {
  const generator = model.generator
  model.generator = null
  const engine = new Engine({ model, tokenizer })
  const texts = []
  for (const prompt of prompts)
    texts.push({
      prompt,
      text: (await collect(engine.generate({ prompt, maxNewTokens: SAMPLE_TOKENS, temperature: 0 }))).text,
    })
  model.generator = generator
  return texts
}
