// SLEB: finds the blocks of a decoder that it can do without, one after the other, by the loss on calibration text of the model without
// them (arXiv:2402.09025). It decides what goes; eliminate.ts takes it out in memory, save-eliminated.ts on disk. Formulas are in the card.
import type { Batch } from '../../data/batch.ts'
import type { DecoderConfig } from '../../model/config.ts'
import type { Decoder } from '../../model/decoder.ts'
import { modelParameters } from '../../model/hf-names.ts'
import { eliminatedConfig } from './eliminated-config.ts'
import { resolveOptions, type SlebOptions } from './options.ts'
import type { SlebReport, SlebResult, SlebWatch } from './result.ts'
import { Search } from './search.ts'

/**
 * Searches for `options.remove` units. The model is as before afterwards, also after an abort, of which `watch.cells` keeps what was
 * measured.
 *
 * @example
 * const { removed } = await sleb(model, calibration, { remove: 2 })
 * const smaller = eliminate(model, removed)
 */
export async function sleb(
  model: Decoder,
  calibration: readonly Batch[],
  options: SlebOptions,
  watch: SlebWatch = {},
): Promise<SlebResult> {
  const { units, ...resolved } = resolveOptions(model.config, options)
  const search = new Search(model, calibration, resolved, watch)
  try {
    const found = await search.run(units)
    return { pass: 'sleb', options: { ...resolved }, report: reportOf(model.config, found), ...found }
  } finally {
    search.end()
  }
}

function reportOf(
  config: DecoderConfig,
  { removed, before, after, measured, full }: Omit<SlebResult, 'pass' | 'options' | 'report'>,
): SlebReport {
  const smaller = eliminatedConfig(config, removed).config
  return {
    removed: removed.map(({ name }) => name),
    blocks_before: config.layers.length,
    blocks_after: smaller.layers.length,
    perplexity_before: Math.exp(before),
    perplexity_after: Math.exp(after),
    parameters_before: countParameters(config),
    parameters_after: countParameters(smaller),
    spared: full === 0 ? 0 : 1 - measured / full,
  }
}

function countParameters(config: DecoderConfig): number {
  return modelParameters(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
}
