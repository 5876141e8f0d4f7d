// The training configuration as one flat, strict schema. The keys of a method are in its folder, and src/methods/keys.ts lists them.

import { z } from 'zod'
import type { Complain } from '../methods/fields.ts'
import { checkMethodKeys, METHOD_PLACES, type MethodKeys, methodDefaults, methodKeys } from '../methods/keys.ts'
import { type DataKeys, dataKeys } from './data-keys.ts'
import { type EncoderKeys, encoderDefaults, encoderKeys, isHeadedStage } from './encoder-keys.ts'
import { type ModelKeys, modelKeys } from './model-keys.ts'
import { checkNgrams, ngramModel } from './ngram-keys.ts'
import { type OptimizationKeys, optimizationKeys, SCHEDULER_KWARGS } from './optimization-keys.ts'
import { checkQuantKeys, type QuantKeys, quantKeys } from './quant-keys.ts'
import { type RunKeys, runKeys } from './run-keys.ts'
import { type SftKeys, sftKeys } from './sft-keys.ts'

type AllKeys = ModelKeys & DataKeys & SftKeys & EncoderKeys & MethodKeys & QuantKeys & OptimizationKeys & RunKeys

/** Keys whose default depends on other keys; the schema leaves them open and `completeDefaults` fills them in. */
type Completed =
  | 'learning_rate'
  | 'eval_strategy'
  | 'eval_steps'
  | 'metric_for_best_model'
  | 'greater_is_better'
  | 'data_seed'

/** A valid training configuration. Keys are those of the YAML file; their meaning is in the JSON Schema. */
export type TrainConfig = {
  [Key in keyof AllKeys]: Key extends Completed ? NonNullable<AllKeys[Key]> : AllKeys[Key]
}

/** The name of a key of a training run. */
export type ConfigKey = keyof TrainConfig

/** What a program gives of a configuration; the rest are defaults. */
export type TrainConfigValues = Partial<
  Omit<TrainConfig, 'dataset' | 'eval_dataset' | 'dropbp' | 'resume_from_checkpoint'>
> & {
  dataset?: string | readonly string[]
  eval_dataset?: string | readonly string[] | Readonly<Record<string, string | readonly string[]>> | undefined
  dropbp?: number | TrainConfig['dropbp']
  resume_from_checkpoint?: boolean | string | undefined
}

/** The schema of every key. */
export const shape: { readonly [Key in keyof AllKeys]: z.ZodType<AllKeys[Key]> } = {
  ...modelKeys,
  ...dataKeys,
  ...sftKeys,
  ...encoderKeys,
  ...methodKeys,
  ...quantKeys,
  ...optimizationKeys,
  ...runKeys,
}

/** Every key, in the order in which a resolved configuration is written. */
export const CONFIG_KEYS: readonly ConfigKey[] = Object.keys(shape) as ConfigKey[]

/** Whether a word is a key of the configuration. */
export function isConfigKey(word: string): word is ConfigKey {
  return Object.hasOwn(shape, word)
}

/** Fills in the defaults that depend on other keys. */
export function completeDefaults(config: AllKeys): TrainConfig {
  const metric = config.metric_for_best_model ?? 'loss'
  return {
    ...config,
    tokenizer_name_or_path: config.tokenizer_name_or_path ?? config.model_name_or_path,
    learning_rate: config.learning_rate ?? defaultRate(config),
    ...methodDefaults(config),
    ...encoderDefaults(config.stage, config),
    eval_strategy: evaluationStrategy(config),
    eval_steps: config.eval_steps ?? config.logging_steps,
    metric_for_best_model: metric.startsWith('eval_') ? metric : `eval_${metric}`,
    greater_is_better: config.greater_is_better ?? !/(?:loss|perplexity)$/.test(metric),
    data_seed: config.data_seed ?? config.seed,
  }
}

/** What is given to evaluate on is evaluated on, unless `no` is said. */
function evaluationStrategy(config: AllKeys): TrainConfig['save_strategy'] {
  if (config.eval_strategy !== undefined) return config.eval_strategy
  if (config.eval_dataset === undefined && config.val_split === 0) return 'no'
  if (config.eval_steps !== undefined) return 'steps'
  return config.load_best_model_at_end ? config.save_strategy : 'epoch'
}

function defaultRate({ stage, finetuning, model_name_or_path }: AllKeys): number {
  if (stage === 'dpo') return 1e-6
  // 6e-4 is what GPT-3 used for its smallest model (arXiv 2005.14165v4, table 2.1).
  if (model_name_or_path === undefined) return 6e-4
  return { full: 5e-5, freeze: 5e-5, lora: 2e-4, dora: 2e-4, prompt: 3e-2 }[finetuning]
}

/** Checks an object; gives it with simple defaults. */
export const trainSchema: z.ZodType<AllKeys> = z.strictObject(shape).superRefine((config, context) => {
  const complain: Complain<ConfigKey> = (key, message) => {
    context.addIssue({ code: 'custom', path: [key], message, input: config[key] })
  }
  checkModel(config, complain)
  checkPlaces(config, complain)
  checkPreferences(config, complain)
  checkMixture(config, complain)
  checkTuning(config, complain)
  checkHeaded(config, complain)
  checkMethodKeys(config, complain)
  checkQuantKeys(config, complain)
  checkTogether(config, complain)
  checkSchedule(config, complain)
  if (ngramModel(config) !== undefined) checkNgrams(config, defaultsFor, complain)
})

/** What every other key is where these are all that is said, before and after `completeDefaults`. */
function defaultsFor(given: Partial<AllKeys>): Partial<AllKeys>[] {
  const keys = CONFIG_KEYS.map((key) => [key, shape[key].safeParse(undefined).data])
  const plain: AllKeys = Object.fromEntries(keys)
  return [plain, completeDefaults({ ...plain, ...given })]
}

function checkModel(config: AllKeys, complain: Complain<ConfigKey>): void {
  const sources = (['model_name_or_path', 'model', 'config_path'] as const).filter((key) => config[key] !== undefined)
  if (sources.length === 0) {
    complain('model_name_or_path', 'expected a model directory, or model or config_path for a fresh model, got nothing')
  }
  if (sources.length > 1) {
    complain(sources[1]!, `expected one of model_name_or_path, model and config_path, got ${sources.join(' and ')}`)
  }
  if (typeof config.model === 'object' && typeof config.model.model_type !== 'string') {
    complain('model', 'expected a model_type such as llama, got none. It is the first key of every config.json')
  }
  if (ngramModel(config) !== undefined) {
    if (config.stage !== 'classify')
      complain('stage', `expected classify with model_type: ngrams, which gives labels, got ${config.stage}`)
  } else if (
    config.model_name_or_path === undefined &&
    config.tokenizer_name_or_path === undefined &&
    sources.length === 1
  ) {
    complain('tokenizer_name_or_path', 'expected a directory with tokenizer.json for the fresh model, got nothing')
  }
}

/** Keys that belong to some stages, or to some kinds of fine-tuning. */
const PLACES: readonly { keys: readonly ConfigKey[]; place: 'stage' | 'finetuning'; values: readonly string[] }[] = [
  { keys: ['packing', 'mask_history'], place: 'stage', values: ['sft'] },
  { keys: ['on_overlong', 'columns'], place: 'stage', values: ['sft', 'dpo'] },
  { keys: ['add_bos_token'], place: 'stage', values: ['pretrain'] },
  {
    keys: ['label_column', 'problem_type', 'label_separator', 'class_weights', 'training_dynamics'],
    place: 'stage',
    values: ['classify'],
  },
  { keys: ['mlm_probability', 'whole_word_mask'], place: 'stage', values: ['mlm'] },
  { keys: ['split_special_tokens'], place: 'stage', values: ['pretrain', 'sft', 'dpo'] },
]

function checkPlaces(config: AllKeys, complain: Complain<ConfigKey>): void {
  const { stage } = config
  if (stage !== 'pretrain' && !isHeadedStage(stage) && config.text_column !== 'text')
    complain('text_column', `expected it with stage: pretrain, classify or mlm, got stage: ${stage}`)
  for (const { keys, place, values } of [...PLACES, ...METHOD_PLACES]) {
    if (values.includes(config[place])) continue
    for (const key of keys)
      if (config[key] !== undefined)
        complain(
          key,
          `expected it with ${place}: ${values.join(' or ')}, got ${place}: ${config[place]}, where it counts for nothing. Leave it out, or set ${place}: ${values[0]}`,
        )
  }
}

function checkPreferences(config: AllKeys, complain: Complain<ConfigKey>): void {
  if (config.stage !== 'dpo') return
  if (config.model_name_or_path === undefined && (config.model !== undefined || config.config_path !== undefined))
    complain('stage', 'expected model_name_or_path with dpo, got a fresh model. Preferences need one that can answer')
  if (config.finetuning === 'prompt') complain('finetuning', 'expected full, freeze, lora or dora with dpo, got prompt')
  if (config.on_overlong === 'split') complain('on_overlong', 'expected another value with dpo, got split')
}

/** What is about continuing text, or is done to decoders alone. */
function checkHeaded(config: AllKeys, complain: Complain<ConfigKey>): void {
  const { stage, finetuning, training_dynamics: dynamics } = config
  for (const key of ['crossfit_folds', 'crossfit_fold'] as const)
    if (config[key] !== undefined && dynamics !== 'crossfit')
      complain(key, `expected it with training_dynamics: crossfit, got ${dynamics ?? 'none'}. Leave it out`)
  if (config.label_separator !== undefined && config.problem_type === 'single_label_classification')
    complain('label_separator', 'expected it where a text may have several labels, got one. Leave it out')
  if (dynamics !== undefined && config.problem_type === 'multi_label_classification')
    complain('training_dynamics', 'expected it where a text has one label, got any number of them. Leave it out')
  if (config.id_column !== undefined && dynamics === undefined)
    complain('id_column', 'expected it with training_dynamics, got none. Leave it out')
  if (!isHeadedStage(stage)) return
  if (finetuning === 'freeze' || finetuning === 'prompt')
    complain('finetuning', `expected full, lora or dora with ${stage}, got ${finetuning}`)
  if (config.sample_prompts.length > 0)
    complain('sample_prompts', `expected none with ${stage}, whose model continues no text. Leave it out`)
  for (const key of ['dropbp', 'load_in_4bit', 'load_in_8bit', 'quantization_bit', 'adapter_name_or_path'] as const)
    if (config[key] !== undefined && config[key] !== false)
      complain(key, `expected it with stage: pretrain, sft or dpo, got stage: ${stage}. Leave it out`)
}

function checkMixture(config: AllKeys, complain: Complain<ConfigKey>): void {
  const { stage, dataset, mix_strategy: strategy = 'concat', interleave_probs: shares, eval_dataset: held } = config
  if (stage !== 'pretrain') {
    const advice = `got stage: ${stage}. Leave it out, or set stage: pretrain`
    if (strategy !== 'concat') complain('mix_strategy', `expected concat without stage: pretrain, ${advice}`)
    if (held !== undefined && !Array.isArray(held))
      complain('eval_dataset', `expected paths, and names for them with stage: pretrain alone, ${advice}`)
  }
  const odd = Object.keys(Array.isArray(held) ? {} : (held ?? {})).find((name) => !/^[\w-]+$/.test(name))
  if (odd !== undefined) complain('eval_dataset', `expected names of letters, digits, - and _, got '${odd}'`)
  if (shares === undefined) return
  if (strategy === 'concat')
    complain(
      'interleave_probs',
      'expected mix_strategy: interleave_under or interleave_over with it, got concat, where all text comes once an epoch. Set one of them',
    )
  if (shares.length !== dataset.length)
    complain(
      'interleave_probs',
      `expected one number for each of the ${dataset.length} entries of dataset, got ${shares.length}`,
    )
}

function checkTuning(config: AllKeys, complain: Complain<ConfigKey>): void {
  const { finetuning } = config
  if (finetuning === 'full') return
  if (config.model_name_or_path === undefined && (config.model !== undefined || config.config_path !== undefined)) {
    const why = finetuning === 'freeze' ? 'What is frozen must be trained already' : 'An adapter needs a trained base'
    complain('finetuning', `expected model_name_or_path with ${finetuning}, got a fresh model. ${why}`)
  }
}

function checkTogether(config: AllKeys, complain: Complain<ConfigKey>): void {
  const strategy = evaluationStrategy(config)
  if (strategy !== 'no' && config.eval_dataset === undefined && config.val_split === 0) {
    complain('eval_strategy', `expected eval_dataset or val_split with ${strategy}, got neither`)
  }
  if (config.eval_dataset !== undefined && config.val_split > 0) {
    complain('val_split', 'expected either eval_dataset or val_split, got both')
  }
  for (const key of ['load_best_model_at_end', 'early_stopping_patience'] as const) {
    const isOn = config[key] !== undefined && config[key] !== false
    if (isOn && strategy === 'no') {
      complain(key, "expected an eval_strategy of steps or epoch with it, got 'no'. Nothing would be measured")
    }
  }
  if (config.load_best_model_at_end && config.save_strategy !== strategy) {
    complain(
      'load_best_model_at_end',
      `expected the same save_strategy and eval_strategy, got ${config.save_strategy} and ${strategy}`,
    )
  }
  if (config.load_best_model_at_end && strategy === 'steps' && config.save_strategy === 'steps') {
    const every = config.eval_steps ?? config.logging_steps
    const isMultiple = config.save_steps < 1 === every < 1 && isWhole(config.save_steps / every)
    if (!isMultiple)
      complain(
        'save_steps',
        `expected a multiple of eval_steps (${every}) with load_best_model_at_end, got ${config.save_steps}`,
      )
  }
}

function checkSchedule(config: AllKeys, complain: Complain<ConfigKey>): void {
  const { lr_scheduler_type: type, lr_scheduler_kwargs: kwargs } = config
  const known = SCHEDULER_KWARGS[type]
  for (const key of Object.keys(kwargs)) {
    if (known.includes(key)) continue
    complain('lr_scheduler_kwargs', `expected ${known.join(' or ') || 'no keys'} with ${type}, got '${key}'`)
  }
  if ('min_lr' in kwargs && 'min_lr_rate' in kwargs) {
    complain('lr_scheduler_kwargs', 'expected min_lr or min_lr_rate, got both')
  }
}

// 0.3 / 0.1 is 2.9999999999999996.
function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < 1e-9 && value > 0.5
}
