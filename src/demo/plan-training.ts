// The configuration of the demo's training: the recipe, and what depends on the text and on the machine.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ParsedConfig, parseConfig } from '../config/parse.ts'
import type { TrainConfigValues } from '../config/schema.ts'
import { batches } from '../data/batches.ts'
import { InputError } from '../errors.ts'
import type { Decoder } from '../model/decoder.ts'
import { duration } from '../report/amounts.ts'
import { modelOf, tokenizerOf } from '../run/train/model-of.ts'
import { corporaOf } from '../run/train/pretrain-data.ts'
import { resolveDevice } from '../torch/index.ts'
import { packageRoot } from '../torch/setup/directories.ts'
import { measureThreads, stepsThatFit } from './plan-steps.ts'
import { type DemoContext, type DemoEvent, resultOf } from './stage.ts'

/** Kept for what comes after training: evaluating, also while fine-tuning, and writing the report. */
const RESERVE_SECONDS = 20
/** Of the time that is left; other programs may want the machine as well. */
const USED_SHARE = 0.85
const EVALUATIONS = 10
/** After that a model of this size learns its text by heart instead of its language. */
const MOST_EPOCHS = 8

/** recipes/demo.yaml with the demo's folder, seed, threads and steps filled in; measures the machine unless the steps are given. */
export async function* planTraining(context: DemoContext): AsyncGenerator<DemoEvent, ParsedConfig> {
  const { settings, paths, elapsed } = context
  const recipe = join(packageRoot, 'recipes', 'demo.yaml')
  const resolve = (more: TrainConfigValues): ParsedConfig => {
    const { prompts } = resultOf(context, 'text')
    const values: TrainConfigValues = {
      dataset: paths.train,
      eval_dataset: paths.heldOut,
      tokenizer_name_or_path: paths.tokenizer,
      output_dir: paths.model,
      sample_prompts: [...prompts],
      seed: settings.seed,
      ...more,
    }
    return parseConfig(readFileSync(recipe, 'utf8'), 'recipes/demo.yaml', [], { values, origin: 'demo' })
  }
  const { config } = resolve({})
  const { tokenizer, hash } = await tokenizerOf(config)
  // Read in silence: training will say the same again.
  const corpora = await corporaOf(config, tokenizer, hash)
  const [train, held] = [corpora.train[0]!.corpus, corpora.evaluation[0]!.corpus]
  try {
    const batchSize = Math.min(config.per_device_train_batch_size, train.length)
    if (batchSize === 0)
      throw new InputError(
        `text: expected at least ${config.max_length} tokens to train on, got ${train.numTokens}. Give more with --text PATH`,
      )
    const batch = { per_device_train_batch_size: batchSize }
    if (settings.steps !== undefined) return resolve({ ...batch, max_steps: settings.steps })
    const source = batches(train, { batchSize, seed: config.data_seed })
    const makeModel = (): Decoder => modelOf(config, tokenizer, resolveDevice(config.device)).model
    const { threads, secondsPerStep } = await measureThreads(makeModel, source)
    const steps = stepsThatFit({
      secondsLeft: (settings.minutes * 60 - elapsed() - RESERVE_SECONDS) * USED_SHARE,
      secondsPerStep,
      evaluationBatches: EVALUATIONS * Math.ceil(held.length / config.per_device_eval_batch_size),
      mostSteps: MOST_EPOCHS * source.batchesPerEpoch,
    })
    const time = duration(steps * secondsPerStep)
    const on = threads === 1 ? 'one thread' : `${threads} threads`
    const message = `a step takes ${(1000 * secondsPerStep).toFixed(0)} ms on ${on}: ${steps} of them, about ${time}`
    yield { type: 'started', work: 'pretrain', message }
    return resolve({ ...batch, max_steps: steps, threads })
  } finally {
    corpora.close()
  }
}
