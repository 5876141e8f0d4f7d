// Which rows and columns must go together. Written out, not traced: a neuron of an MLP is its row in gate and up and its column in down;
// a head is a key/value head with all query heads that read it, rows of q, k and v and columns of o. Group g of a matrix with `channels`
// rows (or columns) per group owns channels g·channels … (g + 1)·channels − 1, so grouped queries need no case of their own.
import { UnsupportedError } from '../../errors.ts'
import type { AttentionConfig } from '../../model/config.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Linear } from '../../nn/linear.ts'
import type { GroupKind } from './options.ts'

/** One matrix and its share of every group. */
export interface Member {
  readonly path: string
  readonly linear: Linear
  /** Rows carry their bias with them. */
  readonly side: 'rows' | 'columns'
  /** Rows or columns of one group. */
  readonly channels: number
}

/** All groups of one kind in one layer. The last member is the matrix that writes to the residual stream: its columns go. */
export interface GroupSet {
  readonly layer: number
  readonly kind: GroupKind
  readonly count: number
  readonly members: readonly Member[]
  /** Parameters that go with one group. */
  readonly cost: number
}

/** The groups of all layers from `first` to before `end`; UnsupportedError where they cannot be taken apart. */
export function groupSets(model: Decoder, kinds: readonly GroupKind[], first: number, end: number): GroupSet[] {
  return model.model.layers.slice(first, end).flatMap((block, i): GroupSet[] => {
    const layer = first + i
    const path = `model.layers.${layer}`
    const sets: GroupSet[] = []
    if (block.self_attn !== null && kinds.includes('heads')) {
      const { settings } = block.self_attn
      refuseJointNorm(settings, model.config.modelType)
      const { numAttentionHeads, numKeyValueHeads, headDim } = settings
      const queries = (numAttentionHeads / numKeyValueHeads) * headDim
      const channels = { q_proj: queries, k_proj: headDim, v_proj: headDim, o_proj: queries }
      const members = (['q_proj', 'k_proj', 'v_proj', 'o_proj'] as const).map((name) =>
        member(model, `${path}.self_attn.${name}`, name === 'o_proj' ? 'columns' : 'rows', channels[name]),
      )
      sets.push({ layer, kind: 'heads', count: numKeyValueHeads, members, cost: costOf(members) })
    }
    if (block.mlp !== null && kinds.includes('mlp')) {
      const names = block.mlp.gate_proj === null ? ['up_proj', 'down_proj'] : ['gate_proj', 'up_proj', 'down_proj']
      const members = names.map((name) =>
        member(model, `${path}.mlp.${name}`, name === 'down_proj' ? 'columns' : 'rows', 1),
      )
      sets.push({ layer, kind: 'mlp', count: members.at(-1)!.linear.inFeatures, members, cost: costOf(members) })
    }
    return sets
  })
}

/** The channels of the given groups, in order. */
export function channelsOf({ channels }: Member, groups: readonly number[]): number[] {
  return groups.flatMap((group) => Array.from({ length: channels }, (_, i) => group * channels + i))
}

function member(model: Decoder, path: string, side: Member['side'], channels: number): Member {
  const linear = model.get(path)
  if (linear instanceof Linear) return { path, linear, side, channels }
  throw new UnsupportedError(
    `prune ${path}: expected a plain matrix, got a ${linear.constructor.name}. Prune before adapters and quantization, or merge them first`,
  )
}

/** Where all heads are normed together, the ones that stay would be scaled by the ones that went. */
function refuseJointNorm({ qkNorm }: AttentionConfig, modelType: string): void {
  if (qkNorm !== 'full') return
  throw new UnsupportedError(
    `prune heads: expected heads that are normed apart or not at all, got ${modelType}, which norms all queries together. Prune the mlp only`,
  )
}

function costOf(members: readonly Member[]): number {
  return members
    .map(({ linear, side, channels }) =>
      side === 'rows' ? channels * (linear.inFeatures + (linear.bias === null ? 0 : 1)) : channels * linear.outFeatures,
    )
    .reduce((sum, parameters) => sum + parameters, 0)
}
