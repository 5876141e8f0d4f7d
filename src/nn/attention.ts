// Which key each query may see, and softmax(q kᵀ · scale) v. Projections and rotation are in model/decoder.ts.
import { UnsupportedError } from '../errors.ts'
import type { Generator } from '../torch/index.ts'
import { hasOp, ops, Tensor } from '../torch/index.ts'
import { dropout } from './dropout.ts'

/** Keys and values of earlier tokens, kept between calls. One slot per token; all layers hold the same number of slots. */
export interface KeyValueCache {
  /** Slots filled so far. */
  readonly length: number
  /** Adds `key` and `value` [B, Hkv, T, D] of layer `layer`; returns everything so far, [B, Hkv, length + T, D]. */
  append(layer: number, key: Tensor, value: Tensor): { key: Tensor; value: Tensor }
}

/** What decides visibility besides order: window, padding on the left, document borders. */
export interface Visibility {
  /** Slots of the queries are `offset … offset + queries − 1`; keys are slots `0 … keys − 1`. */
  offset: number
  queries: number
  keys: number
  /** Query i sees key j when `0 ≤ i − j < window`; null sees all of the past. */
  window: number | null
  /** First real slot of each row (left padding before it); null when no row is padded. */
  starts: readonly number[] | null
  /** Document of each token, [B, T] row-major; tokens see their own document only. Needs queries = keys. */
  segments: { ids: Int32Array; rows: number } | null
}

/** `causal` and `all` need no mask tensor; else bool [B or 1, 1, queries, keys], true = sees. */
export type Mask = 'causal' | 'all' | Tensor

/** The cheapest mask for `visibility`. */
export function makeMask(visibility: Visibility, device: string): Mask {
  const { offset, queries, keys, window, starts, segments } = visibility
  if (segments !== null && segments.ids.length !== segments.rows * keys) {
    throw new UnsupportedError(
      `attention: expected a document for each of ${segments.rows * keys} tokens, got ${segments.ids.length}. Packed rows cannot go on from a cache`,
    )
  }
  const cuts = window !== null && keys > window
  if (!cuts && starts === null && segments === null) {
    if (queries === 1) return 'all'
    if (offset === 0 && queries === keys) return 'causal'
  }
  const rows = starts?.length ?? segments?.rows ?? 1
  const sees = new Uint8Array(rows * queries * keys)
  for (let row = 0; row < rows; row++) {
    const start = starts?.[row] ?? 0
    for (let query = 0; query < queries; query++) {
      const slot = offset + query
      const base = (row * queries + query) * keys
      const first = Math.max(start, window === null ? 0 : slot - window + 1)
      const own = segments?.ids[row * keys + slot]
      for (let key = first; key <= slot; key++) {
        if (segments === null || segments.ids[row * keys + key] === own) sees[base + key] = 1
      }
      sees[base + slot] = 1 // padding sees itself, so that no softmax is over nothing
    }
  }
  return Tensor.from(sees, [rows, 1, queries, keys], 'bool').to(device)
}

export interface AttendOptions {
  mask: Mask
  scale: number
  /** `cap · tanh(scores / cap)`, or null. */
  softcap: number | null
  dropout: number
  generator: Generator | null
}

const hasFused = hasOp('aten::scaled_dot_product_attention')

/** query [B, H, T, D], key and value [B, Hkv, S, D] with Hkv | H → [B, H, T, D]. */
export function attend(query: Tensor, key: Tensor, value: Tensor, options: AttendOptions): Tensor {
  const [batch = 1, heads = 1, queries = 1, dim = 1] = query.shape
  const groups = key.size(1)
  const drops = options.dropout > 0 && options.generator !== null
  if (hasFused && options.softcap === null && !drops) {
    const mask = typeof options.mask === 'string' ? null : options.mask
    // One query per head: the heads of a group are rows of one product, no copy of keys is needed.
    if (queries === 1 && mask === null && groups !== heads) {
      const folded = query.reshape(batch, groups, heads / groups, dim)
      return ops
        .scaledDotProductAttention(folded, key, value, null, 0, false, options.scale)
        .reshape(batch, heads, 1, dim)
    }
    return ops.scaledDotProductAttention(
      query,
      key,
      value,
      mask,
      0,
      options.mask === 'causal',
      options.scale,
      groups !== heads,
    )
  }
  if (heads % groups !== 0)
    throw new UnsupportedError(`attention: expected key heads to divide ${heads}, got ${groups}`)
  const shared = query.reshape(batch, groups, (heads / groups) * queries, dim)
  let scores = ops
    .matmul(shared, key.transpose(-1, -2))
    .mul(options.scale)
    .view(batch, groups, heads / groups, queries, -1)
  if (options.softcap !== null) scores = scores.div(options.softcap).tanh().mul(options.softcap)
  const keys = key.size(2)
  if (options.mask !== 'all') {
    const sees =
      options.mask === 'causal'
        ? ops.tril(ops.ones([queries, keys], 'bool', null, query.device))
        : options.mask.unsqueeze(2)
    scores = ops.maskedFill(scores, ops.logicalNot(sees), Number.NEGATIVE_INFINITY)
  }
  const weights = dropout(
    ops.softmax(scores, -1, scores.dtype === 'f64' ? 'f64' : 'f32').to(value.dtype),
    options.dropout,
    options.generator,
  )
  return ops
    .matmul(weights.view(batch, groups, (heads / groups) * queries, keys), value)
    .view(batch, heads, queries, dim)
}
