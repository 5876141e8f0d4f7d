// adapter_config.json of PEFT. Every key that would change what the adapter computes is either understood here or refused by name:
// an adapter that loads but computes something else is worse than one that does not load.
import { z } from 'zod'
import { InputError, UnsupportedError } from '../../errors.ts'

/** What is read of a LoRA's configuration; keys are PEFT's. */
export interface LoraFile {
  peft_type: 'LORA'
  base_model_name_or_path: string | null
  /** Of the base, where that is a name on the hub. */
  revision?: string | null | undefined
  r: number
  lora_alpha: number
  lora_dropout: number
  target_modules: string | string[]
  use_rslora: boolean
  use_dora: boolean
  fan_in_fan_out: boolean
  /** Ranks and alphas of modules that differ, by regular expression for the end of their name. */
  rank_pattern: Record<string, number>
  alpha_pattern: Record<string, number>
}

/** What is read of a soft prompt's configuration. */
export interface PromptFile {
  peft_type: 'PROMPT_TUNING'
  base_model_name_or_path: string | null
  /** Of the base, where that is a name on the hub. */
  revision?: string | null | undefined
  num_virtual_tokens: number
  token_dim: number
  num_layers: number | null
  num_attention_heads: number | null
  prompt_tuning_init: 'RANDOM' | 'TEXT' | 'SAMPLE_VOCAB'
  prompt_tuning_init_text: string | null
  tokenizer_name_or_path: string | null
}

/** What adapter_config.json says, by the kind of adapter. */
export type AdapterFile = LoraFile | PromptFile

const count = z.int().min(1).max(1_000_000)
const finite = z.number().refine(Number.isFinite)

const lora = z.object({
  peft_type: z.literal('LORA'),
  base_model_name_or_path: z.string().nullish().default(null),
  revision: z.string().nullish(),
  r: count.default(8),
  lora_alpha: finite.default(8),
  lora_dropout: z.number().min(0).lt(1).default(0),
  target_modules: z.union([z.string(), z.array(z.string()).min(1)]),
  use_rslora: z.boolean().default(false),
  use_dora: z.boolean().default(false),
  fan_in_fan_out: z.boolean().default(false),
  rank_pattern: z.record(z.string(), count).nullish(),
  alpha_pattern: z.record(z.string(), finite).nullish(),
})

const prompt = z.object({
  peft_type: z.literal('PROMPT_TUNING'),
  base_model_name_or_path: z.string().nullish().default(null),
  revision: z.string().nullish(),
  num_virtual_tokens: count,
  token_dim: count,
  num_layers: count.nullish().default(null),
  num_attention_heads: count.nullish().default(null),
  prompt_tuning_init: z.enum(['RANDOM', 'TEXT', 'SAMPLE_VOCAB']).default('RANDOM'),
  prompt_tuning_init_text: z.string().nullish().default(null),
  tokenizer_name_or_path: z.string().nullish().default(null),
})

/** Keys that say where an adapter comes from or how it was trained, not what it computes. */
const INERT = new Set([
  'auto_mapping',
  'eva_config',
  'exclude_modules',
  'inference_mode',
  'init_lora_weights',
  'layers_pattern',
  'layers_to_transform',
  'loftq_config',
  'megatron_core',
  'peft_version',
  'qalora_group_size',
  'runtime_config',
  'task_type',
  'tokenizer_kwargs',
  'num_transformer_submodules',
])

/** Start values that leave the base model as it is; the others (PiSSA, OLoRA, LoftQ, …) take the adapter's start out of it. */
const PLAIN_STARTS: readonly unknown[] = [true, false, undefined, null, 'gaussian', 'eva', 'orthogonal']

/** Reads a parsed adapter_config.json; InputError for a malformed one, UnsupportedError for one that asks for more than is here. */
export function parseAdapterConfig(json: unknown, file: string): AdapterFile {
  const raw = z.record(z.string(), z.unknown()).safeParse(json)
  if (!raw.success) throw new InputError(`adapter config in ${file}: expected an object, got something else`)
  const type = raw.data.peft_type
  const schema = type === 'LORA' ? lora : type === 'PROMPT_TUNING' ? prompt : null
  if (schema === null)
    throw new UnsupportedError(
      `adapter config in ${file}:peft_type: expected LORA or PROMPT_TUNING, got ${JSON.stringify(type)}`,
    )
  const parsed = schema.safeParse(raw.data)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new InputError(`adapter config in ${file}:${issue.path.join('.')}: ${issue.message}`)
  }
  refuse(raw.data, new Set(Object.keys(schema.shape)), file)
  const { data } = parsed
  if (data.peft_type === 'PROMPT_TUNING') return data
  return { ...data, rank_pattern: data.rank_pattern ?? {}, alpha_pattern: data.alpha_pattern ?? {} }
}

/** Throws for values that change the result: anything that is neither read, nor inert, nor switched off. */
function refuse(raw: Record<string, unknown>, read: ReadonlySet<string>, file: string): void {
  const fail = (key: string, expected: string): never => {
    throw new UnsupportedError(
      `adapter config in ${file}:${key}: expected ${expected}, got ${JSON.stringify(raw[key])}. Merge the adapter where it was made`,
    )
  }
  if (![undefined, null, 'CAUSAL_LM'].includes(raw.task_type as string | null | undefined))
    fail('task_type', 'CAUSAL_LM')
  if (![undefined, null, 1].includes(raw.num_transformer_submodules as number | null | undefined))
    fail('num_transformer_submodules', '1')
  if (!PLAIN_STARTS.includes(raw.init_lora_weights))
    fail('init_lora_weights', 'a start that leaves the base model as it is')
  for (const [key, value] of Object.entries(raw)) {
    if (read.has(key) || INERT.has(key) || isOff(value)) continue
    if (key === 'bias' && value === 'none') continue
    fail(key, key === 'bias' ? '"none"' : 'null or false')
  }
}

function isOff(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** The whole adapter_config.json, with every key that PEFT writes. */
export function formatAdapterConfig(config: AdapterFile): string {
  const shared = {
    auto_mapping: null,
    revision: config.revision ?? null,
    inference_mode: true,
    task_type: 'CAUSAL_LM',
    peft_version: '0.17.0',
  }
  const rest =
    config.peft_type === 'PROMPT_TUNING'
      ? { num_transformer_submodules: 1, modules_to_save: null, tokenizer_kwargs: null }
      : {
          exclude_modules: null,
          bias: 'none',
          modules_to_save: null,
          init_lora_weights: true,
          layers_to_transform: null,
          layers_pattern: null,
          layer_replication: null,
          megatron_config: null,
          megatron_core: 'megatron.core',
          loftq_config: {},
          trainable_token_indices: null,
          lora_bias: false,
          target_parameters: null,
        }
  const all: Record<string, unknown> = { ...config, ...shared, ...rest }
  const sorted = Object.fromEntries(
    Object.keys(all)
      .sort()
      .map((key) => [key, all[key]]),
  )
  return `${JSON.stringify(sorted, null, 2)}\n`
}
