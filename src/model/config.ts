// What a decoder is, in full: shapes and formulas of every layer, as `config-read.ts` finds them in config.json and `config-write.ts` writes them.

import type { RopeConfig } from '../nn/rope-frequencies.ts'
import type { JsonObject } from './config-fields.ts'
import type { Activation, ModelType, NormPlacement } from './families.ts'

/** A decoder in full: shapes and formulas of every layer, all defaults filled in. Names are Hugging Face's. */
export interface DecoderConfig {
  readonly modelType: ModelType
  readonly vocabSize: number
  readonly hiddenSize: number
  /** Rows of the learned position table where there is one, else the length that the model was made for. */
  readonly maxPositionEmbeddings: number
  /** True when position vectors are learned and added to the embedding (GPT-2); no layer has rope then. */
  readonly hasLearnedPositions: boolean
  /** Multiplies the token embedding: √hiddenSize in Gemma, else 1. */
  readonly embeddingScale: number
  readonly layers: readonly LayerConfig[]
  readonly norm: NormConfig
  /** True when attention and MLP both read the block's input: `x + attention(norm(x)) + mlp(norm(x))`. */
  readonly isParallelResidual: boolean
  readonly tieWordEmbeddings: boolean
  /** `cap · tanh(logits / cap)`, or null. */
  readonly finalLogitSoftcapping: number | null
  readonly dropout: DropoutConfig
  readonly initializerRange: number
  readonly bosTokenId: number | null
  readonly eosTokenIds: readonly number[]
  readonly padTokenId: number | null
  /** What the weights are stored in; null where neither they nor config.json say. */
  readonly dtype: WeightDtype | null
  /** The object as read, so that writing keeps what is not modelled here; of a wrapper, what its text part says. */
  readonly raw: JsonObject
  /** `model_type` of the wrapper whose text part this is. */
  readonly wrapperType?: string
  /** Names of the labels of a decoder with a pooled head, which has none for the vocabulary (pooled-decoder.ts). */
  readonly labels?: readonly string[]
  /** Probabilities from which a text has a label, by id; null where it has one label. See `readLabelThresholds`. */
  readonly labelThresholds?: readonly number[] | null
}

/** What blocks are made from, in a decoder and in an encoder. */
export type BlockConfig = Pick<DecoderConfig, 'layers' | 'norm' | 'isParallelResidual' | 'dropout'>

/** One block. A branch that is null contributes nothing to the residual stream. */
export interface LayerConfig {
  readonly attention: AttentionConfig | null
  readonly mlp: MlpConfig | null
}

/** Self-attention of one layer. */
export interface AttentionConfig {
  readonly numAttentionHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
  /** Multiplies `q·k`. */
  readonly scale: number
  /** `cap · tanh(scores / cap)` before the mask, or null. */
  readonly logitSoftcapping: number | null
  /** Position i sees j when `0 ≤ i − j < slidingWindow`; null sees all of the past. */
  readonly slidingWindow: number | null
  /** Null: this layer does not rotate. */
  readonly rope: RopeConfig | null
  /** RMS norm of queries and keys before rotation: over each head (`q_norm: [headDim]`) or over all heads together. */
  readonly qkNorm: 'none' | 'head' | 'full'
  readonly hasQkvBias: boolean
  readonly hasOutputBias: boolean
}

/** `down(act(gate(x)) · up(x))` when gated, else `down(act(up(x)))`. */
export interface MlpConfig {
  readonly intermediateSize: number
  readonly activation: Activation
  readonly isGated: boolean
  /** Of gate and up. */
  readonly hasBias: boolean
  /** Of down. */
  readonly hasOutputBias: boolean
}

/** All norms of the model; `unitOffset` means that the stored weight is added to 1 (Gemma), `hasBias` goes with `layer`. */
export interface NormConfig {
  readonly kind: 'rms' | 'layer'
  readonly eps: number
  readonly unitOffset: boolean
  readonly placement: NormPlacement
  /** Default true. */
  readonly hasBias?: boolean
}

/** Probabilities used in training only: on attention weights, on each branch's output, on the embedding. */
export interface DropoutConfig {
  readonly attention: number
  readonly residual: number
  readonly embedding: number
}

/** Types that weights are stored in. */
export type WeightDtype = 'float32' | 'bfloat16' | 'float16' | 'float64'

/** Module names inside a block of the norms before and after each branch (`sum`: after it is added); null where the placement has none. */
export const BLOCK_NORMS: Readonly<
  Record<NormPlacement, Record<'beforeAttention' | 'afterAttention' | 'beforeMlp' | 'afterMlp', string | null>>
> = {
  pre: {
    beforeAttention: 'input_layernorm',
    afterAttention: null,
    beforeMlp: 'post_attention_layernorm',
    afterMlp: null,
  },
  post: {
    beforeAttention: null,
    afterAttention: 'post_attention_layernorm',
    beforeMlp: null,
    afterMlp: 'post_feedforward_layernorm',
  },
  both: {
    beforeAttention: 'input_layernorm',
    afterAttention: 'post_attention_layernorm',
    beforeMlp: 'pre_feedforward_layernorm',
    afterMlp: 'post_feedforward_layernorm',
  },
  sum: {
    beforeAttention: null,
    afterAttention: 'post_attention_layernorm',
    beforeMlp: null,
    afterMlp: 'post_feedforward_layernorm',
  },
}
