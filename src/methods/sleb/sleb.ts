// SLEB: finds the blocks of a decoder that it can do without, one after the other, by the loss on calibration text of the model without
// them (arXiv:2402.09025). It decides what goes; eliminate.ts takes it out in memory, save-eliminated.ts on disk. Formulas are in the card.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { type ResolvedOptions, resolveOptions, type SlebOptions } from './options.ts'
import { Search, type SlebHooks, type SlebStep } from './search.ts'
import type { Unit } from './unit.ts'

export interface SlebResult {
  /** In the order in which they went. */
  removed: Unit[]
  steps: SlebStep[]
  /** Cross-entropy on the calibration text in nats per token, of the whole model and without `removed`. */
  before: number
  after: number
  /** Batches run for candidates, and how many a search without racing runs. */
  measured: number
  full: number
  options: ResolvedOptions
}

/**
 * Searches for `options.remove` units. The model is as before afterwards.
 *
 * @example
 * const { removed } = await sleb(model, calibrationBatches, { remove: 2 })
 * const smaller = eliminate(model, removed)
 */
export async function sleb(
  model: Decoder,
  batches: readonly Batch[],
  options: SlebOptions,
  hooks: SlebHooks = {},
): Promise<SlebResult> {
  const { units, ...resolved } = resolveOptions(model.config, options)
  const search = new Search(model, batches, resolved, hooks)
  try {
    return await search.run(units)
  } finally {
    search.end()
  }
}
