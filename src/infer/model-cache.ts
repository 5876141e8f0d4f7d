// The cache that fits a model: how many tokens it may hold, which windows its layers have, and what its numbers are stored as.
import { totalmem } from 'node:os'
import type { Decoder } from '../model/decoder.ts'
import { FrozenLinear } from '../nn/frozen-linear.ts'
import type { DType, Tensor } from '../torch/index.ts'
import { contextLength } from './context.ts'
import { BLOCK_TOKENS, PagedCache } from './paged-cache.ts'

/** What a quarter of the memory holds, at least one context and at most 16; in whole blocks. */
export function defaultCacheTokens(model: Decoder): number {
  const context = contextLength(model.config)
  const widths = model.model.layers.map(({ self_attn: attention }) =>
    attention === null ? 0 : attention.k_proj.outFeatures + attention.v_proj.outFeatures,
  )
  const bytesPerToken = 4 * widths.reduce((sum, width) => sum + width, 0)
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)
  const fitting = Math.floor(memory / 4 / Math.max(1, bytesPerToken))
  return Math.ceil(Math.max(context, Math.min(16 * context, fitting)) / BLOCK_TOKENS) * BLOCK_TOKENS
}

/** An empty cache for `tokens` tokens. f16 by default where weights are quantized on a CPU, whose error is far above that of f16. */
export function makeCache(model: Decoder, tokens: number, dtype?: DType | undefined): PagedCache {
  const attentions = model.model.layers.flatMap(({ self_attn: attention }) => attention ?? [])
  const windows = new Set(attentions.map(({ settings }) => settings.slidingWindow))
  const isQuantized = model.device === 'cpu' && [...model.walk()].some(([, layer]) => layer instanceof FrozenLinear)
  // Norms are never packed: what they are is what is computed in.
  const [[, { dtype: computedIn }]] = [...model.model.norm.parameters()] as [[string, Tensor]]
  return new PagedCache({
    windows: [...windows],
    tokens,
    dtype: dtype ?? (isQuantized ? 'f16' : undefined),
    computed: { dtype: computedIn, device: model.device },
  })
}
