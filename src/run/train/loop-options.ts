// A prepared run → the options of the training loop, in the loop's own words.

import { scheduleOptions } from '../../config/schedule-options.ts'
import type { Batch } from '../../data/batch.ts'
import { Engine } from '../../infer/engine.ts'
import { collect } from '../../lm/lm.ts'
import { stepsOf } from '../../methods/fields.ts'
import type { AnyModel } from '../../model/any-model.ts'
import { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { Rule } from '../../train/rule.ts'
import { makeSchedule } from '../../train/schedule.ts'
import type { TrainOptions } from '../../train/train.ts'
import type { Finetuning } from './finetuning.ts'
import { saveNonFinite } from './non-finite-file.ts'
import type { Run } from './prepare-run.ts'
import { restoreRun } from './resume-point.ts'
import { rulesOf } from './rules-of.ts'
import type { RunTell } from './run-events.ts'
import { type RunParts, saveCheckpoint } from './run-files.ts'

const SAMPLE_TOKENS = 48

/** `perEpoch`: optimizer steps, which need not be whole. `stop`: finish the step, save, and end. `more`: rules of the stage's own. */
export function loopOptions(
  run: Run,
  parts: RunParts,
  {
    steps,
    perEpoch,
    stop,
    tell,
    more,
  }: { steps: number; perEpoch: number; stop: AbortSignal | undefined; tell: RunTell; more: readonly Rule[] },
): TrainOptions<Batch, AnyModel> {
  const { config, data, bf16, tokenizer, resumeFrom } = run
  const { model, rateOf, reader = model instanceof Decoder ? { model } : undefined } = run.finetuning
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
    bf16,
    seed: config.seed,
    onNonFinite: config.on_nonfinite,
    reportNonFinite: (report) => saveNonFinite(config.output_dir, report),
    rules: [...(model instanceof Decoder ? rulesOf(config, model) : []), ...more],
    ...(stop && { stop }),
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
    ...(config.sample_prompts.length > 0 &&
      reader !== undefined && {
        sample: {
          every: stepsOf(config.sample_steps, steps),
          texts: (now) => samples(now, reader, tokenizer, config.sample_prompts),
        },
      }),
    ...(resumeFrom !== undefined && { resume: (state) => restoreRun(resumeFrom, state, tell) }),
  }
}

/** Greedy continuations of the prompts by the model as it is now, without dropout. */
async function samples(
  model: AnyModel,
  reader: NonNullable<Finetuning['reader']>,
  tokenizer: Tokenizer,
  prompts: readonly string[],
): Promise<{ prompt: string; text: string }[]> {
  const engine = new Engine({ ...reader, tokenizer })
  const write = async (prompt: string): Promise<{ prompt: string; text: string }> => {
    const request = { prompt, maxNewTokens: SAMPLE_TOKENS, temperature: 0 }
    return { prompt, text: (await collect(engine.generate(request))).text }
  }
  return withoutDropout(model, async () => {
    const texts = []
    for (const prompt of prompts) texts.push(await write(prompt))
    return texts
  })
}
