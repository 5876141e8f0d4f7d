// The training configuration as one flat, strict schema. To add a method: write its keys as a shape like those
// imported here, spread it into `shape`, and put what must hold between keys into `checkTogether`.

import { z } from 'zod'
import { type PreferenceKeys, preferenceKeys } from '../methods/dpo/keys.ts'
import { canBeSmoothed, needsReference } from '../methods/dpo/losses.ts'
import { type DropBpKeys, dropbpKeys } from '../methods/dropbp/keys.ts'
import { type FreezeKeys, freezeKeys } from '../methods/freeze/keys.ts'
import { loraDefaults } from '../methods/lora/defaults.ts'
import { type LoraKeys, loraKeys } from '../methods/lora/keys.ts'
import { type PromptKeys, promptKeys } from '../methods/prompt-tuning/keys.ts'
import { type DataKeys, dataKeys } from './data-keys.ts'
import { type ModelKeys, modelKeys } from './model-keys.ts'
import { type OptimizationKeys, optimizationKeys, SCHEDULER_KWARGS } from './optimization-keys.ts'
import { checkQuantKeys, type QuantKeys, quantKeys } from './quant-keys.ts'
import { type RunKeys, runKeys } from './run-keys.ts'
import { type SftKeys, sftKeys } from './sft-keys.ts'

type AllKeys = ModelKeys &
  DataKeys &
  SftKeys &
  PreferenceKeys &
  LoraKeys &
  DropBpKeys &
  PromptKeys &
  FreezeKeys &
  QuantKeys &
  OptimizationKeys &
  RunKeys

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
  eval_dataset?: string | readonly string[] | undefined
  dropbp?: number | TrainConfig['dropbp']
  resume_from_checkpoint?: boolean | string | undefined
}

const shape: { readonly [Key in keyof AllKeys]: z.ZodType<AllKeys[Key]> } = {
  ...modelKeys,
  ...dataKeys,
  ...sftKeys,
  ...preferenceKeys,
  ...loraKeys,
  ...dropbpKeys,
  ...promptKeys,
  ...freezeKeys,
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

/** The schema of one key, for converting a command-line value. */
export function fieldOf(key: ConfigKey): z.ZodType {
  return shape[key]
}

/** Checks an object and returns it with simple defaults, or the issues found. */
export function checkConfig(value: Record<string, unknown>): z.ZodSafeParseResult<AllKeys> {
  return schema.safeParse(value) as z.ZodSafeParseResult<AllKeys>
}

/** Fills in the defaults that depend on other keys. */
export function completeDefaults(config: AllKeys): TrainConfig {
  const metric = config.metric_for_best_model ?? 'loss'
  return {
    ...config,
    tokenizer_name_or_path: config.tokenizer_name_or_path ?? config.model_name_or_path,
    learning_rate: config.learning_rate ?? defaultRate(config),
    ...(config.stage === 'dpo' && preferenceDefaults(config)),
    ...((config.finetuning === 'lora' || config.finetuning === 'dora') && completeLora(config)),
    ...(config.finetuning === 'prompt' && promptDefaults(config)),
    ...(config.finetuning === 'freeze' && freezeDefaults(config)),
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

/** Keys that a loss does not use stay open, so that a resolved configuration can be read again. */
function preferenceDefaults(config: AllKeys): Partial<PreferenceKeys> {
  const { loss_type = 'sigmoid' } = config
  return {
    loss_type,
    beta: config.beta ?? 0.1,
    pref_ftx: config.pref_ftx ?? 0,
    ...(canBeSmoothed(loss_type) && { label_smoothing: config.label_smoothing ?? 0 }),
    ...(loss_type === 'simpo' && { simpo_gamma: config.simpo_gamma ?? 0.5 }),
    ...(needsReference(loss_type) && { precompute_ref_log_probs: config.precompute_ref_log_probs ?? false }),
  }
}

function promptDefaults(config: AllKeys): Partial<PromptKeys> {
  const start = config.prompt_tuning_init_text === undefined ? 'SAMPLE_VOCAB' : 'TEXT'
  return {
    num_virtual_tokens: config.num_virtual_tokens ?? 20,
    prompt_tuning_init: config.prompt_tuning_init ?? start,
  }
}

function freezeDefaults(config: AllKeys): FreezeKeys {
  return {
    freeze_trainable_layers: config.freeze_trainable_layers ?? 2,
    freeze_trainable_modules: config.freeze_trainable_modules ?? ['all'],
    freeze_extra_modules: config.freeze_extra_modules ?? [],
  }
}

function completeLora(config: AllKeys): {
  [Key in Exclude<keyof LoraKeys, 'loraplus_lr_ratio' | 'adapter_name_or_path'>]: NonNullable<LoraKeys[Key]>
} {
  const defaults = loraDefaults(config.lora_r)
  return {
    lora_r: defaults.r,
    lora_alpha: config.lora_alpha ?? defaults.loraAlpha,
    lora_dropout: config.lora_dropout ?? defaults.loraDropout,
    lora_target_modules: config.lora_target_modules ?? defaults.targetModules,
    use_rslora: config.use_rslora ?? defaults.useRslora,
    use_dora: config.use_dora ?? config.finetuning === 'dora',
  }
}

/** The JSON Schema of a configuration file, for editors and for `anneal schema`. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', override: dropSafeIntegerBounds })
  return { $schema, title: 'Anneal training configuration', ...rest }
}

const schema = z.strictObject(shape).superRefine((config, context) => {
  const complain = (key: ConfigKey, message: string): void => {
    context.addIssue({ code: 'custom', path: [key], message, input: config[key] })
  }
  checkModel(config, complain)
  checkPlaces(config, complain)
  checkPreferences(config, complain)
  checkTuning(config, complain)
  checkQuantKeys(config, complain)
  checkTogether(config, complain)
  checkSchedule(config, complain)
})

type Complain = (key: ConfigKey, message: string) => void

function checkModel(config: AllKeys, complain: Complain): void {
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
  if (config.model_name_or_path === undefined && config.tokenizer_name_or_path === undefined && sources.length === 1) {
    complain('tokenizer_name_or_path', 'expected a directory with tokenizer.json for the fresh model, got nothing')
  }
}

/** Keys that belong to some stages, or to some kinds of fine-tuning. */
const PLACES: readonly [keys: readonly ConfigKey[], place: 'stage' | 'finetuning', values: readonly string[]][] = [
  [['packing', 'mask_history'], 'stage', ['sft']],
  [['on_overlong', 'columns'], 'stage', ['sft', 'dpo']],
  [['add_bos_token'], 'stage', ['pretrain']],
  [Object.keys(preferenceKeys) as ConfigKey[], 'stage', ['dpo']],
  [Object.keys(loraKeys) as ConfigKey[], 'finetuning', ['lora', 'dora']],
  [Object.keys(promptKeys) as ConfigKey[], 'finetuning', ['prompt']],
  [Object.keys(freezeKeys) as ConfigKey[], 'finetuning', ['freeze']],
]

function checkPlaces(config: AllKeys, complain: Complain): void {
  const { stage } = config
  if (stage !== 'pretrain' && config.text_column !== 'text')
    complain('text_column', `expected it with stage: pretrain, got stage: ${stage}`)
  for (const [keys, place, values] of PLACES) {
    if (values.includes(config[place])) continue
    for (const key of keys)
      if (config[key] !== undefined)
        complain(key, `expected it with ${place}: ${values.join(' or ')}, got ${place}: ${config[place]}`)
  }
}

function checkPreferences(config: AllKeys, complain: Complain): void {
  if (config.stage !== 'dpo') return
  const { loss_type: loss = 'sigmoid', label_smoothing: smoothing = 0 } = config
  if (config.model_name_or_path === undefined && (config.model !== undefined || config.config_path !== undefined))
    complain('stage', 'expected model_name_or_path with dpo, got a fresh model. Preferences need one that can answer')
  if (config.finetuning === 'prompt') complain('finetuning', 'expected full, freeze, lora or dora with dpo, got prompt')
  if (config.on_overlong === 'split') complain('on_overlong', 'expected another value with dpo, got split')
  if (loss !== 'simpo' && config.simpo_gamma !== undefined)
    complain('simpo_gamma', `expected it with loss_type: simpo, got loss_type: ${loss}`)
  if (smoothing > 0 && !canBeSmoothed(loss))
    complain('label_smoothing', `expected 0 with loss_type: ${loss}, got ${smoothing}`)
  for (const key of ['ref_model', 'precompute_ref_log_probs'] as const)
    if (!needsReference(loss) && config[key] !== undefined && config[key] !== false)
      complain(key, `expected it with loss_type: sigmoid, hinge or ipo, got loss_type: ${loss}, which has no reference`)
}

function checkTuning(config: AllKeys, complain: Complain): void {
  const { finetuning } = config
  if (finetuning === 'full') return
  if (config.model_name_or_path === undefined && (config.model !== undefined || config.config_path !== undefined)) {
    const why = finetuning === 'freeze' ? 'What is frozen must be trained already' : 'An adapter needs a trained base'
    complain('finetuning', `expected model_name_or_path with ${finetuning}, got a fresh model. ${why}`)
  }
  if (finetuning === 'dora' && config.use_dora === false) {
    complain('use_dora', 'expected true with finetuning: dora, got false. Write finetuning: lora')
  }
  if (finetuning === 'prompt' && config.prompt_tuning_init === 'TEXT' && config.prompt_tuning_init_text === undefined)
    complain('prompt_tuning_init_text', 'expected a text with prompt_tuning_init: TEXT, got nothing')
  if (config.prompt_tuning_init_text !== undefined && (config.prompt_tuning_init ?? 'TEXT') !== 'TEXT') {
    const got = config.prompt_tuning_init
    complain('prompt_tuning_init_text', `expected it with prompt_tuning_init: TEXT, got prompt_tuning_init: ${got}`)
  }
}

function checkTogether(config: AllKeys, complain: Complain): void {
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

function checkSchedule(config: AllKeys, complain: Complain): void {
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

// z.int() states ±(2^53 − 1) as bounds, which tells a reader nothing.
function dropSafeIntegerBounds({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
}
