// The parameters of a block by path and shape, in decoders and encoders, and how a family's names in files are described.

import { BLOCK_NORMS, type DecoderConfig, type LayerConfig } from './config.ts'

/** One of our parameters. `path` ends in `.weight` or `.bias`. */
export interface Parameter {
  readonly path: string
  readonly shape: readonly number[]
}

/** The names of a family's files. */
export interface Naming {
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

/** The parameters of one block. */
export function blockParameters(
  config: Pick<DecoderConfig, 'hiddenSize' | 'norm'>,
  layer: LayerConfig,
  path: string,
): Parameter[] {
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

/** The parameters of a matrix. */
export function linear(path: string, outputs: number, inputs: number, hasBias: boolean): Parameter[] {
  const weight = { path: `${path}.weight`, shape: [outputs, inputs] }
  return hasBias ? [weight, { path: `${path}.bias`, shape: [outputs] }] : [weight]
}

/** The parameters of a norm. */
export function norm(config: Pick<DecoderConfig, 'norm'>, path: string, size: number): Parameter[] {
  const weight = { path: `${path}.weight`, shape: [size] }
  const { kind, hasBias = true } = config.norm
  return kind === 'layer' && hasBias ? [weight, { path: `${path}.bias`, shape: [size] }] : [weight]
}
