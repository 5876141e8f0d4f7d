// One block of a decoder or encoder, for every family: x + attention(norm(x)), then x + mlp(norm(x)), with the norms where the family
// has them.
// Names are Hugging Face's, so a path here is a name in the checkpoint.
// Shapes: B rows, T tokens, D hidden, H heads, K key/value heads, E head dimension.
import { attend, type KeyValueCache, type Mask } from '../nn/attention.ts'
import { Branch } from '../nn/branch.ts'
import { dropout } from '../nn/dropout.ts'
import { addTo, gatedMlp, project } from '../nn/fused.ts'
import { Layer } from '../nn/layer.ts'
import { Linear, type LinearLike } from '../nn/linear.ts'
import { LayerNorm, type Norm, RmsNorm } from '../nn/norm.ts'
import type { RopeConfig } from '../nn/rope-frequencies.ts'
import type { RotaryTable } from '../nn/rotary.ts'
import { type Generator, ops, type Tensor } from '../torch/index.ts'
import { type AttentionConfig, BLOCK_NORMS, type BlockConfig, type MlpConfig } from './config.ts'

/** What all blocks of one call share; made by the model's `enter`. */
export interface Call {
  rows: number
  length: number
  cache: KeyValueCache | null
  rotary(rope: RopeConfig): RotaryTable
  mask(window: number | null): Mask
  generator: Generator | null
  /** All tensors that the blocks take besides their weights and states, for a call with a cache; null where they are not all. */
  inputs: readonly Tensor[] | null
}

/** x + attention(norm(x)), then x + mlp(norm(x)); Gemma also norms what comes out, OLMo 2 only that, BERT the sum, NeoX adds both at once. */
export class Block extends Layer {
  readonly attention: Branch = new Branch('attention')
  readonly feedForward: Branch = new Branch('mlp')
  readonly self_attn: Attention | null
  readonly mlp: FeedForward | null
  readonly input_layernorm: Norm | null
  readonly post_attention_layernorm: Norm | null
  readonly pre_feedforward_layernorm: Norm | null
  readonly post_feedforward_layernorm: Norm | null
  private readonly parallel: boolean
  private readonly normsSum: boolean
  private readonly names: (typeof BLOCK_NORMS)['pre']
  private readonly dropoutRate: number

  constructor(config: BlockConfig, index: number, at: (path: string) => Tensor, find: (path: string) => Tensor | null) {
    super()
    const path = `model.layers.${index}`
    const layer = config.layers[index]!
    const norm = (name: string): Norm | null =>
      find(`${path}.${name}.weight`) === null ? null : makeNorm(config, `${path}.${name}`, at)
    this.self_attn =
      layer.attention === null ? null : new Attention(layer.attention, config, `${path}.self_attn`, at, find)
    this.mlp = layer.mlp === null ? null : new FeedForward(layer.mlp, `${path}.mlp`, at, find)
    this.input_layernorm = norm('input_layernorm')
    this.post_attention_layernorm = norm('post_attention_layernorm')
    this.pre_feedforward_layernorm = norm('pre_feedforward_layernorm')
    this.post_feedforward_layernorm = norm('post_feedforward_layernorm')
    this.parallel = config.isParallelResidual
    this.normsSum = config.norm.placement === 'sum'
    this.names = BLOCK_NORMS[config.norm.placement]
    this.dropoutRate = config.dropout.residual
  }

  /** x [B, T, D] → [B, T, D]; `index` is the block's position now, which names its slot in the cache. */
  forward(x: Tensor, index: number, call: Call): Tensor {
    const { beforeAttention, afterAttention, beforeMlp, afterMlp } = this.names
    const { self_attn: attention, mlp } = this
    let h = x
    if (attention !== null)
      h = this.add(this.attention, x, x, call, beforeAttention, afterAttention, (norm, input, residual) =>
        attention.forward(input, index, call, norm, residual),
      )
    if (mlp !== null)
      h = this.add(this.feedForward, this.parallel ? x : h, h, call, beforeMlp, afterMlp, (norm, input, residual) =>
        mlp.forward(input, norm, residual),
      )
    return h
  }

  /** residual + branch(x), the norms around it by name. Norm and sum go into the layers where nothing is between, which may do them in one. */
  private add(
    branch: Branch,
    x: Tensor,
    residual: Tensor,
    call: Call,
    before: string | null,
    after: string | null,
    body: (norm: Norm | null, x: Tensor, residual: Tensor | null) => Tensor,
  ): Tensor {
    const norm = this.norm(before)
    const normAfter = this.normsSum ? null : this.norm(after)
    const normSum = this.normsSum ? this.norm(after) : null
    const alone = (h: Tensor): Tensor => {
      const y = body(norm, h, null)
      return dropout(normAfter === null ? y : normAfter.forward(y), this.dropoutRate, call.generator)
    }
    const drops = this.dropoutRate > 0 && call.generator !== null
    const joined = normAfter !== null || drops ? undefined : (h: Tensor, to: Tensor): Tensor => body(norm, h, to)
    const sum = branch.add(x, alone, residual, joined)
    return normSum === null ? sum : normSum.forward(sum)
  }

  private norm(name: string | null): Norm | null {
    return name === null ? null : (this as unknown as Record<string, Norm>)[name]!
  }
}

/** Grouped-query self-attention with rotary positions. */
export class Attention extends Layer {
  readonly q_proj: LinearLike
  readonly k_proj: LinearLike
  readonly v_proj: LinearLike
  readonly o_proj: LinearLike
  readonly q_norm: RmsNorm | null
  readonly k_norm: RmsNorm | null
  settings: AttentionConfig
  private readonly dropoutRate: number

  constructor(
    settings: AttentionConfig,
    config: Pick<BlockConfig, 'norm' | 'dropout'>,
    path: string,
    at: (path: string) => Tensor,
    find: (path: string) => Tensor | null,
  ) {
    super()
    const linear = (name: string): Linear => new Linear(at(`${path}.${name}.weight`), find(`${path}.${name}.bias`))
    const headNorm = (name: string): RmsNorm | null =>
      settings.qkNorm === 'none'
        ? null
        : new RmsNorm(at(`${path}.${name}.weight`), config.norm.eps, config.norm.unitOffset ? 1 : 0)
    this.q_proj = linear('q_proj')
    this.k_proj = linear('k_proj')
    this.v_proj = linear('v_proj')
    this.o_proj = linear('o_proj')
    this.q_norm = headNorm('q_norm')
    this.k_norm = headNorm('k_norm')
    this.settings = settings
    this.dropoutRate = config.dropout.attention
  }

  /** What attention gives for norm(x), added to `residual` if there is one. */
  forward(x: Tensor, index: number, call: Call, norm: Norm | null = null, residual: Tensor | null = null): Tensor {
    const { headDim, scale, slidingWindow, rope, logitSoftcapping } = this.settings
    // Head counts follow the weights, which pruning may have narrowed.
    const isWhole = this.settings.qkNorm === 'full'
    const projected = project(norm, x, [this.q_proj, this.k_proj, this.v_proj], isWhole ? 0 : headDim)
    const [query, keys, values] = projected as [Tensor, Tensor, Tensor]
    let q = this.normed(query, this.q_norm, call) // [B, T, H, E]
    let k = this.normed(keys, this.k_norm, call) // [B, T, K, E]
    const v = isWhole ? this.heads(values, call) : values
    const rotary = rope && call.rotary(rope)
    if (call.cache !== null) {
      const how = { rotary, scale, window: slidingWindow, softcap: logitSoftcapping }
      return addTo(residual, this.o_proj, call.cache.attend(index, q, k, v, how))
    }
    if (rotary !== null) {
      q = ops.rope(q, rotary.cos, rotary.sin)
      k = ops.rope(k, rotary.cos, rotary.sin)
    }
    const y = attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), {
      mask: call.mask(slidingWindow),
      scale,
      softcap: logitSoftcapping,
      dropout: this.dropoutRate,
      generator: call.generator,
    })
    return addTo(residual, this.o_proj, y.transpose(1, 2).reshape(call.rows, call.length, -1))
  }

  /** [B, T, H, E] normed per head, or (OLMo 2) [B, T, H·E] normed over all heads together → [B, T, H, E]. */
  private normed(x: Tensor, norm: RmsNorm | null, call: Call): Tensor {
    const y = norm === null ? x : norm.forward(x)
    return this.settings.qkNorm === 'full' ? this.heads(y, call) : y
  }

  /** [B, T, H·E] → [B, T, H, E] */
  private heads(x: Tensor, call: Call): Tensor {
    return x.view(call.rows, call.length, -1, this.settings.headDim)
  }
}

/** down(act(gate(x)) · up(x)), or down(act(up(x))) without a gate. */
export class FeedForward extends Layer {
  readonly gate_proj: LinearLike | null
  readonly up_proj: LinearLike
  readonly down_proj: LinearLike
  private readonly activation: MlpConfig['activation']

  constructor(settings: MlpConfig, path: string, at: (path: string) => Tensor, find: (path: string) => Tensor | null) {
    super()
    const linear = (name: string): Linear => new Linear(at(`${path}.${name}.weight`), find(`${path}.${name}.bias`))
    this.gate_proj = settings.isGated ? linear('gate_proj') : null
    this.up_proj = linear('up_proj')
    this.down_proj = linear('down_proj')
    this.activation = settings.activation
  }

  /** What the MLP gives for norm(x), added to `residual` if there is one. */
  forward(x: Tensor, norm: Norm | null = null, residual: Tensor | null = null): Tensor {
    const { gate_proj: gate, up_proj: up, down_proj: down, activation } = this
    if (gate !== null && activation === 'silu') return gatedMlp(norm, x, { gate, up, down }, residual)
    const [raised, opened] = project(norm, x, gate === null ? [up] : [up, gate]) as [Tensor, Tensor?]
    const inner = opened === undefined ? activate(activation, raised) : activate(activation, opened).mul(raised)
    return addTo(residual, down, inner)
  }
}

const activate = (kind: MlpConfig['activation'], x: Tensor): Tensor =>
  kind === 'relu' ? ops.relu(x) : ops.activation(x, kind)

/** The family's norm with the weights at `path`. */
export function makeNorm(config: Pick<BlockConfig, 'norm'>, path: string, at: (path: string) => Tensor): Norm {
  const { kind, eps, unitOffset, hasBias = true } = config.norm
  return kind === 'layer'
    ? new LayerNorm(at(`${path}.weight`), hasBias ? at(`${path}.bias`) : null, eps)
    : new RmsNorm(at(`${path}.weight`), eps, unitOffset ? 1 : 0)
}
