// Takes groups out of the weights for good, puts what they contributed on average into a bias, and writes the new shapes into the config.

import type { Block } from '../../model/block.ts'
import type { LayerConfig } from '../../model/config.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Linear, type LinearLike } from '../../nn/linear.ts'
import { noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { channelsOf, type GroupSet } from './groups.ts'

/** Leaves the groups `kept` (ascending) in the matrices of the set. */
export function keepGroups({ members, count }: GroupSet, kept: readonly number[]): void {
  if (kept.length === count) return
  scope(() => {
    for (const member of members) {
      const { linear, side } = member
      const index = indices(channelsOf(member, kept), linear.weight.device)
      linear.weight = sliced(linear.weight, side === 'rows' ? 0 : 1, index)
      if (side === 'rows' && linear.bias !== null) linear.bias = sliced(linear.bias, 0, index)
    }
  })
}

/**
 * Adds Σ_j W_:j·E[x_j] over the removed inputs j to the bias of the set's output matrix (FLAP), so that the mean of its output over the
 * calibration tokens stays. `mean`: E[x], [inFeatures], f64. To be called before the groups are taken out.
 */
export function compensate(set: GroupSet, kept: readonly number[], mean: Tensor): void {
  const output = set.members.at(-1)!
  const { linear } = output
  const stays = new Set(kept)
  const removed = Array.from({ length: set.count }, (_, group) => group).filter((group) => !stays.has(group))
  addBias(linear)
  noGrad(() =>
    scope(() => {
      const index = indices(channelsOf(output, removed), linear.weight.device)
      const lost = linear.weight.indexSelect(1, index).to('f64').matmul(mean.indexSelect(0, index))
      linear.bias!.copy_(linear.bias!.to('f64').add(lost))
    }),
  )
}

/** A bias of zeros where there is none: it changes nothing. */
export function addBias(linear: Linear): void {
  const { weight } = linear
  linear.bias ??= ops.zeros([linear.outFeatures], weight.dtype, null, weight.device).keep()
}

/** Makes the model's description say what its weights now are. */
export function describeWeights(model: Decoder): void {
  const layers = model.model.layers.map((block, i): LayerConfig => describeBlock(block, model.config.layers[i]!))
  model.config = { ...model.config, layers }
  for (const [i, { self_attn }] of model.model.layers.entries())
    if (self_attn !== null) self_attn.settings = layers[i]!.attention!
}

function describeBlock({ self_attn, mlp }: Block, { attention, mlp: widths }: LayerConfig): LayerConfig {
  const hasBias = (linear: LinearLike, before: boolean): boolean =>
    linear instanceof Linear ? linear.bias !== null : before
  return {
    attention: self_attn && {
      ...attention!,
      numAttentionHeads: self_attn.q_proj.outFeatures / attention!.headDim,
      numKeyValueHeads: self_attn.k_proj.outFeatures / attention!.headDim,
      hasQkvBias: hasBias(self_attn.q_proj, attention!.hasQkvBias),
      hasOutputBias: hasBias(self_attn.o_proj, attention!.hasOutputBias),
    },
    mlp: mlp && {
      ...widths!,
      intermediateSize: mlp.up_proj.outFeatures,
      hasBias: hasBias(mlp.up_proj, widths!.hasBias),
      hasOutputBias: hasBias(mlp.down_proj, widths!.hasOutputBias),
    },
  }
}

function sliced(tensor: Tensor, dim: number, index: Tensor): Tensor {
  const { requiresGrad } = tensor
  const part = noGrad(() => tensor.indexSelect(dim, index)).keep()
  tensor.free()
  part.requiresGrad = requiresGrad
  return part
}

const indices = (channels: readonly number[], device: string): Tensor =>
  Tensor.from(Int32Array.from(channels)).to('i64').to(device)
