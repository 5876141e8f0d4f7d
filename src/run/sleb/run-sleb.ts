// SLEB as a run: a model with fewer blocks, chosen by what they cost on a text.

import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import { UsageError } from '../../errors.ts'
import { eliminate } from '../../methods/sleb/eliminate.ts'
import { eliminatedConfig } from '../../methods/sleb/eliminated-config.ts'
import { resolveOptions, type SlebOptions } from '../../methods/sleb/options.ts'
import { eliminatedFiles, weightBytes } from '../../methods/sleb/save-eliminated.ts'
import { sleb } from '../../methods/sleb/sleb.ts'
import { leavingOut, type Unit, unitsOf } from '../../methods/sleb/unit.ts'
import type { DecoderConfig } from '../../model/config.ts'
import type { Decoder } from '../../model/decoder.ts'
import { storedDtype } from '../../model/dtype.ts'
import { modelParameters } from '../../model/hf-names.ts'
import { dtypeBytes } from '../../torch/dtype.ts'
import type { WorkEvent } from '../../work.ts'
import { type EditMethod, type EditOptions, type EditResult, editModel, needText } from '../edit/edit-model.ts'
import { summaryLines } from '../edit/summary.ts'
import type { ModelSource } from '../model-source.ts'
import { type SlebSummary, slebReport, slebSummary } from './sleb-report.ts'

/** What is searched, on which text, and where the smaller model goes. */
export interface RunSlebOptions extends EditOptions, Omit<SlebOptions, 'remove'> {
  /** Units to remove; or `ratio`. */
  remove?: number | undefined
  /** Share of all units to remove, rounded up. */
  ratio?: number | undefined
}

/**
 * Searches, then writes the smaller model with a page of what every candidate cost. Stopped, it keeps its journal and goes on from there.
 *
 * @example
 * const { removed } = await resultOf(runSleb({ model: 'models/base', data: ['text.txt'], remove: 2, out: 'models/smaller' }))
 */
export function runSleb(
  options: RunSlebOptions,
  watch: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, EditResult<SlebSummary>> {
  return editModel(methodOf(options), options, watch)
}

function methodOf(options: RunSlebOptions): EditMethod<SlebSummary> {
  const { granularity = 'block', search, metric, refine, protectFirst, protectLast } = options
  const asked = (config: DecoderConfig): SlebOptions => ({
    remove: removeOf(options, granularity, config),
    granularity,
    ...(search && { search }),
    ...(metric && { metric }),
    ...(refine && { refine }),
    ...(protectFirst !== undefined && { protectFirst }),
    ...(protectLast !== undefined && { protectLast }),
  })
  return {
    name: 'sleb',
    journal: {},
    check: (subject) => {
      needText(subject, 'sleb')
      resolveOptions(subject.config, asked(subject.config))
    },
    apply: async ({ model, source }, { calibration }, watch) => {
      const result = await sleb(model, calibration, asked(model.config), watch)
      const { removed } = result
      const bytes = { bytes_before: bytesOf(source, model, []), bytes_after: bytesOf(source, model, removed) }
      const figures = { ...result.report, ...bytes }
      const plain = isPlain(source) ? eliminatedFiles(source.base, removed) : undefined
      return {
        record: { ...result, report: figures },
        figures,
        lines: summaryLines(slebSummary(figures)),
        page: slebReport(source.name, result, figures),
        files: plain?.files ?? {},
        notices:
          granularity === 'sublayer'
            ? ['a block with one branch works in Anneal only; Transformers fills the other with random weights']
            : [],
        pretend: () => leaveOut(model, removed),
        // Byte for byte where the weights are on disk as they are in memory.
        write:
          plain?.writer ??
          ((directory) =>
            saveDecoder(eliminate(model, removed), directory, { dtype: storedDtype(model.config.dtype) })),
      }
    },
  }
}

const isPlain = ({ isGguf, adapters }: ModelSource): boolean => !isGguf && adapters.length === 0

function bytesOf(source: ModelSource, model: Decoder, removed: readonly Unit[]): number {
  if (isPlain(source)) return weightBytes(source.base, removed)
  const { config } = eliminatedConfig(model.config, removed)
  const width = dtypeBytes[storedDtype(config.dtype)]
  return modelParameters(config).reduce((sum, { shape }) => sum + width * shape.reduce((a, b) => a * b, 1), 0)
}

function leaveOut(model: Decoder, removed: readonly Unit[]): () => void {
  const undo = removed.map((unit) => leavingOut(unit, []).apply(model))
  return () => {
    for (const each of undo.reverse()) each()
  }
}

/** A share is of all blocks (or sub-layers), protected or not, and rounded up as in the paper: 20 % of 32 blocks are 7. */
function removeOf(
  { remove, ratio }: RunSlebOptions,
  granularity: NonNullable<SlebOptions['granularity']>,
  config: DecoderConfig,
): number {
  if ((remove === undefined) === (ratio === undefined))
    throw new UsageError(`remove: expected either it or \`ratio\`, got ${remove === undefined ? 'neither' : 'both'}`)
  if (remove !== undefined) return remove
  if (!(ratio! < 1)) throw new UsageError(`ratio: expected a share below 1, got ${ratio}`)
  const all = unitsOf(config, granularity, { first: 0, last: 0 }).length
  return Math.ceil(ratio! * all - 1e-9) // 0.55 · 20 is a little more than 11
}
