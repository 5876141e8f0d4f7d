// How llama.cpp calls the model families and their tensors. One row per family; what is not in a row is as in Llama.
// Source: llama.cpp's convert_hf_to_gguf.py and gguf-py/gguf/tensor_mapping.py; every row is checked against llama.cpp's own
// logits (scripts/goldens/llama-cpp.ts).

import type { DecoderConfig } from '../model/config.ts'
import type { Activation, ModelType } from '../model/families.ts'
import { type CheckpointTensor, modelParameters } from '../model/hf-names.ts'

/** One family in GGUF. */
export interface Architecture {
  /** `general.architecture`. */
  readonly name: string
  /** Modules of a block by our names; several with one name are fused, rows after rows. */
  readonly inside: Readonly<Record<string, string>>
  /** True where rotated pairs of channels lie side by side, so that rows of q and k change places. */
  readonly isInterleaved: boolean
  /** True where the file has 1 + the norm's weight (Gemma). */
  readonly hasNormOffset: boolean
  /** Every so manyth layer sees all of the past, the others a window; null where all layers see all of it. */
  readonly fullAttentionEvery: number | null
  /** θ of the layers with a window, where it is fixed. */
  readonly windowTheta?: number
  /** Every so manyth layer does not rotate; absent where all do. */
  readonly unrotatedEvery?: number
  /** The activation of its graph first, then those that differ from it by rounding. */
  readonly activations: readonly Activation[]
  /** Which biases it reads. */
  readonly biases: { readonly qkv: boolean; readonly others: boolean }
  /** At this depth the scores are divided by the root of the width per head, elsewhere of the size of a head (Gemma's 27 B models). */
  readonly scaledByWidthAt?: number
  /** True where the output head is never the embedding. */
  readonly hasOwnHead: boolean
}

const PRE_NORM = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
} as const
const BOTH_NORMS = {
  ...PRE_NORM,
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
} as const
const FUSED_QKV = {
  'self_attn.q_proj': 'attn_qkv',
  'self_attn.k_proj': 'attn_qkv',
  'self_attn.v_proj': 'attn_qkv',
} as const

const plain = (name: string): Architecture => ({
  name,
  inside: PRE_NORM,
  isInterleaved: false,
  hasNormOffset: false,
  fullAttentionEvery: null,
  activations: ['silu'],
  biases: { qkv: false, others: false },
  hasOwnHead: false,
})
const ALL_BIASES = { qkv: true, others: true }
const LLAMA: Architecture = { ...plain('llama'), isInterleaved: true, biases: ALL_BIASES }
const gemma = (name: string): Architecture => ({
  ...plain(name),
  inside: name === 'gemma' ? PRE_NORM : BOTH_NORMS,
  hasNormOffset: true,
  activations: ['gelu_tanh'],
})

/** Llama with layers of different sizes: the one architecture of llama.cpp that takes them. */
export const UNEQUAL_LAYERS: Architecture = { ...LLAMA, name: 'deci' }

export const ARCHITECTURES: Readonly<Record<ModelType, Architecture>> = {
  llama: LLAMA,
  mistral: LLAMA,
  smollm3: { ...plain('smollm3'), isInterleaved: true, unrotatedEvery: 4 },
  qwen2: { ...plain('qwen2'), biases: { qkv: true, others: false } },
  qwen3: plain('qwen3'),
  gemma: gemma('gemma'),
  gemma2: { ...gemma('gemma2'), fullAttentionEvery: 2, scaledByWidthAt: 46 },
  gemma3_text: { ...gemma('gemma3'), fullAttentionEvery: 6, windowTheta: 10_000, scaledByWidthAt: 62 },
  olmo2: { ...plain('olmo2'), inside: BOTH_NORMS },
  phi3: {
    ...plain('phi3'),
    inside: { ...PRE_NORM, ...FUSED_QKV, 'mlp.gate_proj': 'ffn_up', 'mlp.up_proj': 'ffn_up' },
    hasOwnHead: true,
  },
  gpt2: { ...plain('gpt2'), inside: { ...PRE_NORM, ...FUSED_QKV }, activations: ['gelu_tanh'], biases: ALL_BIASES },
  // ggml's GELU is the tanh form; the exact one, which NeoX models have, differs from it by less than 0.0005.
  gpt_neox: {
    ...plain('gptneox'),
    inside: { ...PRE_NORM, ...FUSED_QKV },
    activations: ['gelu_tanh', 'gelu'],
    biases: ALL_BIASES,
  },
}

/** The families by `general.architecture`; `llama` is `llama` again, which computes what `mistral` does. */
export function modelTypeOf(architecture: string): ModelType | undefined {
  if (architecture === UNEQUAL_LAYERS.name) return 'llama'
  return (Object.keys(ARCHITECTURES) as ModelType[]).find((type) => ARCHITECTURES[type].name === architecture)
}

/** The row for a model: its family's, or the one for unequal layers where a Llama has them. */
export function architectureOf(config: DecoderConfig): Architecture {
  const own = ARCHITECTURES[config.modelType]
  return own === LLAMA && hasUnequalLayers(config) ? UNEQUAL_LAYERS : own
}

/** True if a branch is missing in some layer, or layers differ in heads or widths. */
export function hasUnequalLayers({ layers }: DecoderConfig): boolean {
  const sizes = layers.map(({ attention, mlp }) =>
    [attention?.numAttentionHeads, attention?.numKeyValueHeads, mlp?.intermediateSize].join(),
  )
  return layers.some(({ attention, mlp }) => attention === null || mlp === null) || new Set(sizes).size > 1
}

const OUTSIDE: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.embed_positions': 'position_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
}

/** One tensor of the file and the parameters of ours that it holds, rows after rows. */
export interface GgufParameter extends Pick<CheckpointTensor, 'name' | 'shape' | 'parts'> {
  /** Above 0: rows are those of this many heads, and change places within each head. */
  readonly heads: number
  /** True for norms whose weight is stored with 1 added. */
  readonly hasOffset: boolean
}

/** Every tensor that a GGUF file of this model holds for its parameters. */
export function ggufParameters(config: DecoderConfig, architecture: Architecture): GgufParameter[] {
  const groups = new Map<string, CheckpointTensor['parts'][number][]>()
  for (const parameter of modelParameters(config)) {
    const name = ggufName(architecture, parameter.path)
    groups.set(name, [...(groups.get(name) ?? []), parameter])
  }
  return [...groups].map(([name, parts]) => {
    const first = parts[0]!
    const rows = parts.reduce((sum, part) => sum + part.shape[0]!, 0)
    return {
      name,
      parts,
      shape: [rows, ...first.shape.slice(1)],
      heads: architecture.isInterleaved ? headsOf(config, first.path) : 0,
      hasOffset: architecture.hasNormOffset && /norm\.weight$/.test(first.path),
    }
  })
}

/** `model.layers.3.self_attn.q_proj.weight` → `blk.3.attn_q.weight`. */
export function ggufName({ inside }: Architecture, path: string): string {
  const inBlock = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(path)
  if (inBlock !== null) return `blk.${inBlock[1]}.${inside[inBlock[2]!]}.${inBlock[3]}`
  const dot = path.lastIndexOf('.')
  return `${OUTSIDE[path.slice(0, dot)]}${path.slice(dot)}`
}

/** Heads of a query or key projection, 0 of everything else. */
function headsOf(config: DecoderConfig, path: string): number {
  const found = /^model\.layers\.(\d+)\.self_attn\.([qk])_proj\./.exec(path)
  if (found === null) return 0
  const { numAttentionHeads, numKeyValueHeads } = config.layers[Number(found[1])]!.attention!
  return found[2] === 'q' ? numAttentionHeads : numKeyValueHeads
}
