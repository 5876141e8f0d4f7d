// Between our parameters and the tensors of a Hugging Face checkpoint, for loading and for saving.
// Our module paths are Hugging Face's own (`model.layers.3.self_attn.q_proj`), and most families need no table at all;
// Phi-3 (fused rows), GPT-NeoX (fused by head) and GPT-2 (fused, transposed, other names) are the rows below.
// This file knows names and shapes only: reading bytes and moving them is `checkpoint/`.

import { blockParameters, type Naming, norm, type Parameter } from './block-parameters.ts'
import type { DecoderConfig } from './config.ts'
import { isEncoderConfig, type ModelConfig } from './encoder/config.ts'
import { type EncoderType, isEncoderType } from './encoder/families.ts'
import { encoderNaming, encoderParameters, isOtherHead, tiedCopy } from './encoder/parameters.ts'
import type { ModelType } from './families.ts'

/**
 * One tensor of the file and the parameters it holds. To load: transpose if `isTransposed`, view the first dimension as
 * `[interleave, parts, rows]`, take part p and flatten; with `interleave` 1 the parts simply follow each other (they may
 * differ in rows). To save, the inverse.
 */
export interface CheckpointTensor {
  readonly name: string
  /** Other names under which published files have it. */
  readonly aliases: readonly string[]
  /** Shape in the file. */
  readonly shape: readonly number[]
  readonly isTransposed: boolean
  /** Above 1: rows are ordered by head first, then by part; this is the number of heads. */
  readonly interleave: number
  readonly parts: readonly Parameter[]
}

/** Every parameter of the model by path, in the order of the forward pass. A tied head is not a parameter of its own. */
export function modelParameters(config: ModelConfig): Parameter[] {
  if (isEncoderConfig(config)) return encoderParameters(config)
  const { hiddenSize, vocabSize } = config
  const positions = config.hasLearnedPositions
    ? [{ path: 'model.embed_positions.weight', shape: [config.maxPositionEmbeddings, hiddenSize] }]
    : []
  return [
    { path: 'model.embed_tokens.weight', shape: [vocabSize, hiddenSize] },
    ...positions,
    ...config.layers.flatMap((layer, i) => blockParameters(config, layer, `model.layers.${i}`)),
    ...norm(config, 'model.norm', hiddenSize),
    ...headOf(config),
  ]
}

function headOf({ labels, tieWordEmbeddings, vocabSize, hiddenSize }: DecoderConfig): Parameter[] {
  if (labels !== undefined) return [{ path: 'score.weight', shape: [labels.length, hiddenSize] }]
  return tieWordEmbeddings ? [] : [{ path: 'lm_head.weight', shape: [vocabSize, hiddenSize] }]
}

/** What a checkpoint of this model holds, tensor by tensor, with the names to save under. */
export function checkpointTensors(config: ModelConfig): CheckpointTensor[] {
  const naming = isEncoderConfig(config) ? encoderNaming(config) : namingOf(config.modelType)
  const groups = new Map<string, Parameter[]>()
  for (const parameter of modelParameters(config)) {
    const name = checkpointName(naming, parameter.path)
    groups.set(name, [...(groups.get(name) ?? []), parameter])
  }
  return [...groups].map(([name, parts]) => {
    const rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0)
    const shape = [rows, ...parts[0]!.shape.slice(1)]
    const isTransposed = naming.isTransposed && shape.length === 2 && IN_BLOCK.test(parts[0]!.path)
    const heads = naming.isInterleaved && parts.length > 1 ? headsOf(config, parts[0]!.path) : 1
    // An encoder without a head is saved as the bare model that it is.
    const isBare = isEncoderConfig(config) && config.head === null
    const [first = name, ...others] = isBare ? aliasesOf(naming, name) : [name, ...aliasesOf(naming, name)]
    return {
      name: first,
      aliases: isBare ? [name, ...others] : others,
      shape: isTransposed ? shape.reverse() : shape,
      isTransposed,
      interleave: heads,
      parts,
    }
  })
}

/** True for what files carry and this model does not read: causal masks and rotary tables saved as tensors, another head of an encoder. */
export function isIgnoredBuffer(modelType: ModelType | EncoderType, name: string): boolean {
  if (/(^|\.)(rotary_emb\.inv_freq|position_ids)$/.test(name)) return true
  if (isEncoderType(modelType)) return isOtherHead(modelType, name)
  return NAMING[modelType]?.causalMask?.test(name) ?? false
}

/** True for the head of the vocabulary, where the model has a head of labels in its place. */
export function isReplacedHead(config: ModelConfig, name: string): boolean {
  return !isEncoderConfig(config) && config.labels !== undefined && /^(?:lm_head|embed_out)\./.test(name)
}

/** The parameter that a tensor of the file must be a copy of, because config.json ties it (a head to the embedding); undefined for others. */
export function tiedTo(config: ModelConfig, name: string): string | undefined {
  if (isEncoderConfig(config)) return tiedCopy(config, name)
  const isHead = config.tieWordEmbeddings && (name === 'lm_head.weight' || name === 'embed_out.weight')
  return isHead ? 'model.embed_tokens.weight' : undefined
}

/**
 * The checkpoint's module that one of our modules lives in (`model.layers.0.self_attn.q_proj` →
 * `transformer.h.0.attn.c_attn`): what adapters and quantization plans made elsewhere call it.
 */
export function checkpointModule(modelType: ModelType | EncoderType, path: string): string {
  return checkpointName(namingOf(modelType), `${path}.weight`).slice(0, -'.weight'.length)
}

/** True where checkpoints store the matrices of blocks as `[in, out]`, which PEFT calls `fan_in_fan_out`. */
export function isStoredTransposed(modelType: ModelType | EncoderType): boolean {
  return namingOf(modelType).isTransposed
}

function namingOf(modelType: ModelType | EncoderType): Naming {
  return isEncoderType(modelType) ? encoderNaming({ modelType, head: null }) : (NAMING[modelType] ?? HUGGING_FACE)
}

const HUGGING_FACE: Naming = {
  prefix: 'model.',
  outside: {},
  blocks: 'model.layers',
  inside: {},
  isInterleaved: false,
  isTransposed: false,
}

const NAMING: Partial<Record<ModelType, Naming>> = {
  phi3: {
    ...HUGGING_FACE,
    inside: {
      ...fused('self_attn.qkv_proj', ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']),
      ...fused('mlp.gate_up_proj', ['mlp.gate_proj', 'mlp.up_proj']),
    },
  },
  gpt_neox: {
    prefix: 'gpt_neox.',
    outside: {
      'model.embed_tokens': 'gpt_neox.embed_in',
      'model.norm': 'gpt_neox.final_layer_norm',
      lm_head: 'embed_out',
    },
    blocks: 'gpt_neox.layers',
    inside: {
      ...fused('attention.query_key_value', ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']),
      'self_attn.o_proj': 'attention.dense',
      'mlp.up_proj': 'mlp.dense_h_to_4h',
      'mlp.down_proj': 'mlp.dense_4h_to_h',
    },
    isInterleaved: true,
    isTransposed: false,
    causalMask: /(^|\.)layers\.\d+\.attention\.(bias|masked_bias)$/,
  },
  gpt2: {
    prefix: 'transformer.',
    outside: {
      'model.embed_tokens': 'transformer.wte',
      'model.embed_positions': 'transformer.wpe',
      'model.norm': 'transformer.ln_f',
    },
    blocks: 'transformer.h',
    inside: {
      ...fused('attn.c_attn', ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']),
      'self_attn.o_proj': 'attn.c_proj',
      'mlp.up_proj': 'mlp.c_fc',
      'mlp.down_proj': 'mlp.c_proj',
      input_layernorm: 'ln_1',
      post_attention_layernorm: 'ln_2',
    },
    isInterleaved: false,
    // Conv1D stores [in, out].
    isTransposed: true,
    causalMask: /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/,
  },
}

const IN_BLOCK = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/

function fused(name: string, parts: readonly string[]): Record<string, string> {
  return Object.fromEntries(parts.map((part) => [part, name]))
}

function checkpointName(naming: Naming, path: string): string {
  const inBlock = IN_BLOCK.exec(path)
  if (inBlock !== null) {
    const [, layer, module, kind] = inBlock
    return `${naming.blocks}.${layer}.${naming.inside[module!] ?? module}.${kind}`
  }
  const dot = path.lastIndexOf('.')
  const module = path.slice(0, dot)
  return `${naming.outside[module] ?? module}${path.slice(dot)}`
}

function aliasesOf(naming: Naming, name: string): string[] {
  if (name === 'embed_out.weight') return ['lm_head.weight']
  const bare = name.startsWith(naming.prefix) ? [name.slice(naming.prefix.length)] : []
  // The norms of the first checkpoints of BERT.
  const old = (each: string): string =>
    each.replace(/(LayerNorm)\.weight$/, '$1.gamma').replace(/(LayerNorm)\.bias$/, '$1.beta')
  return [...bare, ...[name, ...bare].map(old).filter((each) => !bare.includes(each) && each !== name)]
}

function headsOf(config: ModelConfig, path: string): number {
  return config.layers[Number(IN_BLOCK.exec(path)![1])]!.attention!.numAttentionHeads
}
