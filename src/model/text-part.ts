// A wrapper's config.json (Gemma 3, Mistral 3, LLaVA and other models that see or hear) → the description of its language model
// alone, in the spelling of that model by itself. Weights of the other parts are left out by checkpoint/…/text-weights.ts.

import { UnsupportedError } from '../errors.ts'
import { isObject, type JsonObject, type JsonValue } from './config-fields.ts'
import { FAMILIES, type ModelType } from './families.ts'

/** The language model of a wrapper. */
export interface TextPart {
  /** `model_type` of the wrapper. */
  readonly wrapperType: string
  /** What config.json of the language model alone would say. */
  readonly json: JsonObject
}

/**
 * The sizes of each configuration class, in the order below: a wrapper's file leaves out what equals them. A file of the language
 * model alone always has them, and is refused without.
 */
const SIZE_KEYS = [
  'vocab_size',
  'hidden_size',
  'intermediate_size',
  'num_hidden_layers',
  'num_attention_heads',
] as const
const CLASS_SIZES: Partial<Record<ModelType, readonly number[]>> = {
  llama: [32_000, 4096, 11_008, 32, 32],
  mistral: [32_000, 4096, 14_336, 32, 32],
  qwen2: [151_936, 4096, 22_016, 32, 32],
  qwen3: [151_936, 4096, 22_016, 32, 32],
  gemma: [256_000, 3072, 24_576, 28, 16],
  gemma2: [256_000, 2304, 9216, 26, 8],
  gemma3_text: [262_208, 2304, 9216, 26, 8],
  phi3: [32_064, 3072, 8192, 32, 32],
  olmo2: [50_304, 4096, 11_008, 32, 32],
  smollm3: [128_256, 2048, 11_008, 36, 16],
}

/** What wrappers say once for all their parts. */
const SHARED_KEYS = [
  'dtype',
  'torch_dtype',
  'bos_token_id',
  'eos_token_id',
  'pad_token_id',
  'tie_word_embeddings',
  'quantization_config',
  'quantization',
  'is_encoder_decoder',
]

/** The language model that a wrapper's config.json describes; undefined where the file is none of a wrapper, or of an unknown model. */
export function textPartOf(json: JsonValue | undefined, file: string): TextPart | undefined {
  if (!isObject(json) || !isObject(json.text_config)) return undefined
  const wrapperType = json.model_type
  if (typeof wrapperType !== 'string' || Object.hasOwn(FAMILIES, wrapperType)) return undefined
  const text = json.text_config
  // The first LLaVA conversions did not say it.
  const modelType = text.model_type ?? 'llama'
  const sizes = Object.hasOwn(CLASS_SIZES, String(modelType)) ? CLASS_SIZES[modelType as ModelType] : undefined
  if (sizes === undefined) return undefined
  if (wrapperType === 'paligemma') {
    throw new UnsupportedError(
      `model config in ${file}: model_type: expected a text part with causal attention, got "paligemma", whose prompts see their own future. ` +
        'Only causal attention is supported.',
    )
  }
  const shared = SHARED_KEYS.flatMap((key) => ((json[key] ?? null) === null ? [] : [[key, json[key]!] as const]))
  const given = Object.entries(text).filter(([key, value]) => value !== null || !SHARED_KEYS.includes(key))
  const defaults = SIZE_KEYS.map((key, i) => [key, sizes[i]!] as const)
  return {
    wrapperType,
    json: {
      ...Object.fromEntries([...defaults, ...shared, ...given]),
      model_type: modelType,
      architectures: [FAMILIES[modelType as ModelType].architecture],
    },
  }
}

/** What to tell people who load a wrapper; nothing for a model that is none. */
export function textPartNotices(config: { readonly modelType: string; readonly wrapperType?: string }): string[] {
  if (config.wrapperType === undefined) return []
  return [
    `a ${config.wrapperType} model: its text part (${config.modelType}) is used by itself, what sees or hears is left out`,
  ]
}
