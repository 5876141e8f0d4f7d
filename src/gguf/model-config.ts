// The metadata of a GGUF file → config.json of the Hugging Face model that it was made from, as far as it tells. What llama.cpp
// has built in (scales, window patterns) is filled in here; model-metadata.ts is the way there.

import { InputError, UnsupportedError } from '../errors.ts'
import type { DecoderConfig } from '../model/config.ts'
import type { JsonObject } from '../model/config-fields.ts'
import { readModelConfig } from '../model/config-read.ts'
import { FAMILIES, type ModelType } from '../model/families.ts'
import { ARCHITECTURES, modelTypeOf } from './architectures.ts'
import { booleanAt, integerAt, numberAt, perLayerAt, stringAt } from './metadata-fields.ts'
import { attentionScalar } from './model-metadata.ts'
import type { GgufHeader } from './read.ts'
import { refuseMetadata, refusePart } from './refused-metadata.ts'
import { decimal, ropeKeys } from './rope-config.ts'

/** The description of the model in a GGUF file; an UnsupportedError for an architecture that Anneal does not run. */
export function configFromGguf(header: GgufHeader): DecoderConfig {
  return readModelConfig(configJson(header), header.file)
}

function configJson(header: GgufHeader): JsonObject {
  refusePart(header)
  const kind = stringAt(header, 'general.type') ?? 'model'
  if (kind !== 'model') {
    throw new UnsupportedError(
      `${header.file}:general.type: expected model, got ${kind}. Give the model that it belongs to`,
    )
  }
  const architecture = stringAt(header, 'general.architecture') ?? missing(header, 'general.architecture')
  const modelType = modelTypeOf(architecture)
  if (modelType === undefined) {
    throw new UnsupportedError(
      `${header.file}:general.architecture: expected one that Anneal runs (llama, qwen2, qwen3, gemma, …), got ${architecture}`,
    )
  }
  const key = (name: string): string => `${architecture}.${name}`
  const need = (name: string): number => integerAt(header, key(name)) ?? missing(header, key(name))
  const layers = need('block_count')
  if (layers === 0 || layers > 4096)
    throw new InputError(`${header.file}:${key('block_count')}: expected 1 to 4096, got ${layers}`)
  const hiddenSize = need('embedding_length')
  const perLayer = (name: string): number[] => perLayerAt(header, key(name), layers) ?? missing(header, key(name))
  const heads = perLayer('attention.head_count')
  const keyValueHeads = perLayerAt(header, key('attention.head_count_kv'), layers) ?? heads
  const widths = perLayer('feed_forward_length')
  const family = FAMILIES[modelType]
  const spelled = (name: string): string => family.keys[name] ?? name
  const first = { heads: most(heads), keyValueHeads: most(keyValueHeads), width: most(widths) }
  const headDim = integerAt(header, key('attention.key_length')) ?? hiddenSize / first.heads
  refuseMetadata(header, modelType, key, headDim)
  const embedding = header.tensors.get('token_embd.weight')
  if (embedding === undefined) throw new InputError(`${header.file}: expected a tensor token_embd.weight, got none`)
  const overrides = layerOverrides(heads, keyValueHeads, widths, first)
  // Where config.json says which biases there are and llama.cpp reads them, any layer may have its own.
  if (family.mlpBias === 'key' && ARCHITECTURES[modelType].biases.others) addOutputBiases(header, overrides)
  const eos = ['eos', 'eot', 'eom'].flatMap((role) => integerAt(header, `tokenizer.ggml.${role}_token_id`) ?? [])
  return {
    architectures: [family.architecture],
    model_type: modelType,
    vocab_size: embedding.shape[0]!,
    [spelled('hidden_size')]: hiddenSize,
    [spelled('num_hidden_layers')]: layers,
    [spelled('num_attention_heads')]: first.heads,
    [spelled('intermediate_size')]: first.width,
    [spelled('max_position_embeddings')]: need('context_length'),
    [family.normEps.key]: epsilon(header, key),
    tie_word_embeddings: !header.tensors.has('output.weight'),
    bos_token_id: integerAt(header, 'tokenizer.ggml.bos_token_id') ?? null,
    eos_token_id: [...new Set(eos)],
    ...(family.isGated && { num_key_value_heads: first.keyValueHeads, head_dim: headDim }),
    ...(family.positions === 'rotary' && ropeKeys(header, modelType, key, headDim)),
    ...familyKeys(header, modelType, key, headDim),
    ...(Object.keys(overrides).length > 0 && { per_layer_config: overrides }),
  }
}

function missing(header: GgufHeader, key: string): never {
  throw new InputError(`${header.file}:${key}: expected it, got nothing. Get the file again`)
}

/** The commonest size above 0. */
function most(sizes: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const size of sizes) if (size > 0) counts.set(size, (counts.get(size) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0
}

function layerOverrides(
  heads: readonly number[],
  keyValueHeads: readonly number[],
  widths: readonly number[],
  common: { heads: number; keyValueHeads: number; width: number },
): JsonObject {
  const overrides: JsonObject = {}
  for (const [i, width] of widths.entries()) {
    const skip = [...(heads[i] === 0 ? ['attention'] : []), ...(width === 0 ? ['mlp'] : [])]
    const own: JsonObject = {
      ...(heads[i] !== 0 && heads[i] !== common.heads && { num_attention_heads: heads[i]! }),
      ...(heads[i] !== 0 && keyValueHeads[i] !== common.keyValueHeads && { num_key_value_heads: keyValueHeads[i]! }),
      ...(width !== 0 && width !== common.width && { intermediate_size: width }),
      ...(skip.length > 0 && { skip }),
    }
    if (Object.keys(own).length > 0) overrides[i] = own
  }
  return overrides
}

/** Pruned models may have biases on single output projections alone. */
function addOutputBiases(header: GgufHeader, overrides: JsonObject): void {
  const biases = { attention_output_bias: 'attn_output', mlp_output_bias: 'ffn_down' }
  const names = [...header.tensors.keys()].filter((name) => /^blk\.\d+\.(attn_output|ffn_down)\.weight$/.test(name))
  for (const name of names) {
    const [, layer, matrix] = name.split('.')
    const key = Object.entries(biases).find(([, own]) => own === matrix)![0]
    const hasBias = header.tensors.has(name.replace('.weight', '.bias'))
    overrides[layer!] = { ...(overrides[layer!] as JsonObject | undefined), [key]: hasBias }
  }
}

function epsilon(header: GgufHeader, key: (name: string) => string): number {
  const name = ['attention.layer_norm_rms_epsilon', 'attention.layer_norm_epsilon'].find((name) =>
    header.metadata.has(key(name)),
  )
  return decimal(
    numberAt(header, key(name ?? 'attention.layer_norm_rms_epsilon')) ??
      missing(header, key('attention.layer_norm_rms_epsilon')),
  )
}

/** What single families have besides. */
function familyKeys(
  header: GgufHeader,
  modelType: ModelType,
  key: (name: string) => string,
  headDim: number,
): JsonObject {
  const has = (tensor: string): boolean => header.tensors.has(`blk.0.${tensor}`)
  const { softcapping } = FAMILIES[modelType]
  switch (modelType) {
    case 'llama':
      return { attention_bias: has('attn_q.bias'), mlp_bias: has('ffn_up.bias') }
    case 'gemma2':
    case 'gemma3_text':
      return {
        query_pre_attn_scalar: attentionScalar(
          ARCHITECTURES[modelType],
          integerAt(header, key('block_count'))!,
          headDim,
          integerAt(header, key('embedding_length'))! / perLayerAt(header, key('attention.head_count'), 1)![0]!,
        ),
        sliding_window:
          integerAt(header, key('attention.sliding_window')) ?? missing(header, key('attention.sliding_window')),
        ...(softcapping && {
          attn_logit_softcapping: numberAt(header, key('attn_logit_softcapping')) ?? softcapping.attn,
          final_logit_softcapping: numberAt(header, key('final_logit_softcapping')) ?? softcapping.final,
        }),
      }
    case 'phi3': {
      const original = integerAt(header, key('rope.scaling.original_context_length'))
      return {
        sliding_window: null,
        pad_token_id: null,
        ...(original !== undefined && { original_max_position_embeddings: original }),
      }
    }
    case 'gpt_neox':
      return { use_parallel_residual: booleanAt(header, key('use_parallel_residual')) ?? true, attention_bias: true }
    default:
      return {}
  }
}
