// Which key each query may see, and softmax(q kᵀ · scale) v. Projections and rotation are in model/decoder.ts.
import { UnsupportedError } from '../errors.ts'
import type { Generator } from '../torch/index.ts'
import { hasOp, ops, Tensor } from '../torch/index.ts'
import { dropout } from './dropout.ts'
import type { RotaryTable } from './rotary.ts'

/** How the queries of one layer look at what is in a cache. */
export interface AttendCached {
  /** Angles of each row, [B·T, R]; null where the layer does not rotate. */
  rotary: RotaryTable | null
  scale: number
  /** Keys that a query sees, its own included; null: all before it. */
  window: number | null
  softcap: number | null
}

/**
 * Keys and values of earlier tokens, for one call of the model. The rows of the call are tokens of one or of many sequences; which ones, and
 * where in them, the cache knows.
 */
export interface KeyValueCache {
  /** Position of each row in its own sequence, [B·T]. */
  readonly positions: Int32Array
  /** What tells this call from others of as many rows, as tensors; null where it is told by numbers, too. */
  readonly inputs: readonly Tensor[] | null
  /** Rotates q [B, T, H, D] and k [B, T, Hkv, D], keeps k and v of layer `layer`, and attends: [B, T, H·D]. */
  attend(layer: number, q: Tensor, k: Tensor, v: Tensor, how: AttendCached): Tensor
}

/** What decides visibility besides order: window and document borders. */
export interface Visibility {
  /** Tokens of a row; queries and keys are the same ones. */
  length: number
  /** Query i sees key j when `0 ≤ i − j < window`; null sees all of the past. */
  window: number | null
  /** Document of each token, [B, T] row-major; tokens see their own document only. */
  segments: { ids: Int32Array; rows: number } | null
}

/** `causal` and `all` (every query sees every key) need no mask tensor; else bool [B or 1, 1, T or 1, S], true = sees. */
export type Mask = 'causal' | 'all' | Tensor

/** The cheapest mask for `visibility`. */
export function makeMask({ length, window, segments }: Visibility, device: string): Mask {
  if (segments !== null && segments.ids.length !== segments.rows * length) {
    throw new UnsupportedError(
      `attention: expected a document for each of ${segments.rows * length} tokens, got ${segments.ids.length}`,
    )
  }
  if ((window === null || length <= window) && segments === null) return 'causal'
  const rows = segments?.rows ?? 1
  const sees = new Uint8Array(rows * length * length)
  for (let row = 0; row < rows; row++) {
    for (let query = 0; query < length; query++) {
      const base = (row * length + query) * length
      const own = segments?.ids[row * length + query]
      for (let key = window === null ? 0 : Math.max(0, query - window + 1); key <= query; key++) {
        if (segments === null || segments.ids[row * length + key] === own) sees[base + key] = 1
      }
    }
  }
  return Tensor.from(sees, [rows, 1, length, length], 'bool').to(device)
}

/** What decides visibility where tokens see both ways. */
export interface VisibilityBothWays {
  rows: number
  length: number
  /** Query i sees key j when `|i − j| ≤ window`; null sees all. */
  window: number | null
  /** 1 for tokens, 0 for padding, [B, T]; undefined: none is padding. */
  attentionMask: Uint8Array | undefined
}

/** The cheapest mask for it: nobody sees padding. A query that would see nothing sees everything, so that no softmax is over nothing. */
export function makeMaskBothWays({ rows, length, window, attentionMask }: VisibilityBothWays, device: string): Mask {
  const isPadded = attentionMask?.includes(0) ?? false
  const isWindowed = window !== null && window < length - 1
  if (!isPadded && !isWindowed) return 'all'
  const count = isPadded ? rows : 1
  const queries = isWindowed ? length : 1
  const sees = new Uint8Array(count * queries * length)
  for (let row = 0; row < count; row++) {
    for (let query = 0; query < queries; query++) {
      const base = (row * queries + query) * length
      const first = isWindowed ? Math.max(0, query - window) : 0
      const last = isWindowed ? Math.min(length - 1, query + window) : length - 1
      let seen = 0
      for (let key = first; key <= last; key++)
        if (!isPadded || attentionMask![row * length + key] === 1) seen += sees[base + key] = 1
      if (seen === 0) sees.fill(1, base, base + length)
    }
  }
  return Tensor.from(sees, [count, 1, queries, length], 'bool').to(device)
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

/** query [B, H, T, D], key and value [B, Hkv, T, D] with Hkv | H → [B, H, T, D]. */
export function attend(query: Tensor, key: Tensor, value: Tensor, options: AttendOptions): Tensor {
  const [batch = 1, heads = 1, queries = 1, dim = 1] = query.shape
  const groups = key.size(1)
  const drops = options.dropout > 0 && options.generator !== null
  if (hasFused && options.softcap === null && !drops) {
    const mask = typeof options.mask === 'string' ? null : options.mask
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
