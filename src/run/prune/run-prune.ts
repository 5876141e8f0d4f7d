// Pruning as a run: a model with fewer neurons and heads.
import type { Batch } from '../../data/batch.ts'
import { needsText, type PruneOptions, resolveOptions } from '../../methods/prune/options.ts'
import { prune } from '../../methods/prune/prune.ts'
import type { Decoder } from '../../model/decoder.ts'
import { storedDtype } from '../../model/dtype.ts'
import { dtypeBytes } from '../../torch/dtype.ts'
import type { Watch, WorkEvent } from '../../work.ts'
import {
  type EditMethod,
  type EditOptions,
  type EditResult,
  editModel,
  needText,
  refuseQuantized,
} from '../edit/edit-model.ts'
import { lossOf } from '../edit/measure-model.ts'
import { missOf, type PruneFigures, pruneLines, prunePage } from './prune-report.ts'

/** What is pruned, on which text, and where the smaller model goes. */
export interface RunPruneOptions extends EditOptions, Omit<PruneOptions, 'seed'> {}

/**
 * Prunes, then writes the smaller model with a page of what is left in each layer.
 *
 * @example
 * const result = await resultOf(runPrune({ model: 'models/base', data: ['text.txt'], ratio: 0.2, out: 'models/pruned' }))
 */
export function runPrune(
  options: RunPruneOptions,
  watch: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, EditResult<PruneFigures>> {
  return editModel(methodOf(options), options, watch)
}

function methodOf(options: RunPruneOptions): EditMethod<PruneFigures> {
  const asked = pruneOptionsOf(options)
  return {
    name: 'prune',
    journal: null,
    check: (subject) => {
      const resolved = resolveOptions(asked, subject.config.layers.length)
      const { importance, compensate } = resolved
      if (needsText(resolved)) needText(subject, compensate ? `${importance} and biases` : importance)
      refuseQuantized(subject, 'prune')
    },
    apply: async ({ model, source }, { calibration }, watch) => {
      const resolved = resolveOptions(asked, model.config.layers.length)
      const before = await perplexity(model, calibration, watch)
      const record = await prune(model, calibration, asked, watch)
      const after = await perplexity(model, calibration, watch)
      const { report } = record
      const width = dtypeBytes[storedDtype(model.config.dtype)]
      const measured = { perplexity_before: before, perplexity_after: after }
      const bytes = { bytes_before: report.parameters_before * width, bytes_after: report.parameters_after * width }
      const figures: PruneFigures = { ...report, ...measured, ...bytes }
      return {
        record: { ...record, report: { ...report, ...measured } },
        figures,
        lines: pruneLines(figures),
        page: prunePage(source.name, figures, resolved),
        notices: [
          ...missOf(report, resolved),
          ...(report.is_standard
            ? []
            : ['config.json has keys for layers of unequal size or biases that only Anneal reads']),
        ],
      }
    },
  }
}

/** What pruning itself is asked for. */
function pruneOptionsOf(options: RunPruneOptions): PruneOptions {
  const { ratio, ratioOf, targets, importance, aggregate, scope, layout, align, steps } = options
  const { protectFirst, protectLast, compensate, maxGradientBytes, seed } = options
  const all = { ratio, ratioOf, targets, importance, aggregate, scope, layout, align, steps }
  const given = { ...all, protectFirst, protectLast, compensate, maxGradientBytes, seed }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as PruneOptions
}

async function perplexity(model: Decoder, batches: readonly Batch[], watch: Watch): Promise<number | null> {
  const measured = await lossOf(model, batches, watch)
  return measured && Math.exp(measured.loss)
}
