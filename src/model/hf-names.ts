// Between our parameters and the tensors of a Hugging Face checkpoint, for loading and for saving.
// Our module paths are Hugging Face's own (`model.layers.3.self_attn.q_proj`), and most families need no table at all;
// Phi-3 (fused rows), GPT-NeoX (fused by head) and GPT-2 (fused, transposed, other names) are the rows below.
// This file knows names and shapes only: reading bytes and moving them is `checkpoint/`.

import { BLOCK_NORMS, type DecoderConfig, type LayerConfig } from './config.ts'
import type { ModelType } from './families.ts'

/** One of our parameters. `path` ends in `.weight` or `.bias`. */
export interface Parameter {
  readonly path: string
  readonly shape: readonly number[]
}

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
export function modelParameters(config: DecoderConfig): Parameter[] {
  const { hiddenSize, vocabSize } = config
  const positions = config.hasLearnedPositions
    ? [{ path: 'model.embed_positions.weight', shape: [config.maxPositionEmbeddings, hiddenSize] }]
    : []
  return [
    { path: 'model.embed_tokens.weight', shape: [vocabSize, hiddenSize] },
    ...positions,
    ...config.layers.flatMap((layer, i) => blockParameters(config, layer, `model.layers.${i}`)),
    ...norm(config, 'model.norm', hiddenSize),
    ...(config.tieWordEmbeddings ? [] : [{ path: 'lm_head.weight', shape: [vocabSize, hiddenSize] }]),
  ]
}

/** What a checkpoint of this model holds, tensor by tensor, with the names to save under. */
export function checkpointTensors(config: DecoderConfig): CheckpointTensor[] {
  const naming = NAMING[config.modelType] ?? HUGGING_FACE
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
    return {
      name,
      aliases: aliasesOf(naming, name),
      shape: isTransposed ? shape.reverse() : shape,
      isTransposed,
      interleave: heads,
      parts,
    }
  })
}

/** True for what old checkpoints carry and nobody reads: causal masks and rotary tables saved as tensors. */
export function isIgnoredBuffer(modelType: ModelType, name: string): boolean {
  if (/(^|\.)(rotary_emb\.inv_freq|position_ids)$/.test(name)) return true
  return NAMING[modelType]?.causalMask?.test(name) ?? false
}

/** True for an output head stored although config.json ties it to the embedding: to be compared, then dropped. */
export function isTiedHead(config: DecoderConfig, name: string): boolean {
  return config.tieWordEmbeddings && (name === 'lm_head.weight' || name === 'embed_out.weight')
}

/**
 * The checkpoint's module that one of our modules lives in (`model.layers.0.self_attn.q_proj` →
 * `transformer.h.0.attn.c_attn`): what adapters and quantization plans made elsewhere call it.
 */
export function checkpointModule(modelType: ModelType, path: string): string {
  return checkpointName(NAMING[modelType] ?? HUGGING_FACE, `${path}.weight`).slice(0, -'.weight'.length)
}

/** True where checkpoints store the matrices of blocks as `[in, out]`, which PEFT calls `fan_in_fan_out`. */
export function isStoredTransposed(modelType: ModelType): boolean {
  return NAMING[modelType]?.isTransposed ?? false
}

interface Naming {
  /** Prefix of the bare model, which files saved without a head lack. */
  readonly prefix: string
  /** Modules outside the blocks. */
  readonly outside: Readonly<Record<string, string>>
  /** Path of the list of blocks. */
  readonly blocks: string
  /** Modules of a block; several of ours with one name are fused in this order. */
  readonly inside: Readonly<Record<string, string>>
  readonly isInterleaved: boolean
  readonly isTransposed: boolean
  /** Causal masks that old files have as tensors. */
  readonly causalMask?: RegExp
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
  return name.startsWith(naming.prefix) ? [name.slice(naming.prefix.length)] : []
}

function headsOf(config: DecoderConfig, path: string): number {
  return config.layers[Number(IN_BLOCK.exec(path)![1])]!.attention!.numAttentionHeads
}

function blockParameters(config: DecoderConfig, layer: LayerConfig, path: string): Parameter[] {
  const { attention, mlp } = layer
  const { hiddenSize } = config
  const norms = BLOCK_NORMS[config.norm.placement]
  const normOf = (name: string | null): Parameter[] =>
    name === null ? [] : norm(config, `${path}.${name}`, hiddenSize)
  const parameters: Parameter[] = []
  if (attention !== null) {
    const queries = attention.numAttentionHeads * attention.headDim
    const keys = attention.numKeyValueHeads * attention.headDim
    const { hasQkvBias, hasOutputBias } = attention
    parameters.push(
      ...normOf(norms.beforeAttention),
      ...linear(`${path}.self_attn.q_proj`, queries, hiddenSize, hasQkvBias),
      ...linear(`${path}.self_attn.k_proj`, keys, hiddenSize, hasQkvBias),
      ...linear(`${path}.self_attn.v_proj`, keys, hiddenSize, hasQkvBias),
      ...linear(`${path}.self_attn.o_proj`, hiddenSize, queries, hasOutputBias),
    )
    if (attention.qkNorm !== 'none') {
      const isPerHead = attention.qkNorm === 'head'
      parameters.push(
        { path: `${path}.self_attn.q_norm.weight`, shape: [isPerHead ? attention.headDim : queries] },
        { path: `${path}.self_attn.k_norm.weight`, shape: [isPerHead ? attention.headDim : keys] },
      )
    }
    parameters.push(...normOf(norms.afterAttention))
  }
  if (mlp !== null) {
    const { intermediateSize, hasBias, hasOutputBias } = mlp
    parameters.push(
      ...normOf(norms.beforeMlp),
      ...(mlp.isGated ? linear(`${path}.mlp.gate_proj`, intermediateSize, hiddenSize, hasBias) : []),
      ...linear(`${path}.mlp.up_proj`, intermediateSize, hiddenSize, hasBias),
      ...linear(`${path}.mlp.down_proj`, hiddenSize, intermediateSize, hasOutputBias),
      ...normOf(norms.afterMlp),
    )
  }
  return parameters
}

function linear(path: string, outputs: number, inputs: number, hasBias: boolean): Parameter[] {
  const weight = { path: `${path}.weight`, shape: [outputs, inputs] }
  return hasBias ? [weight, { path: `${path}.bias`, shape: [outputs] }] : [weight]
}

function norm(config: DecoderConfig, path: string, size: number): Parameter[] {
  const weight = { path: `${path}.weight`, shape: [size] }
  return config.norm.kind === 'layer' ? [weight, { path: `${path}.bias`, shape: [size] }] : [weight]
}
