// What is QPruner's own: precision by mutual information. A layer whose output tells more about the prediction gets more bits.
// Paper: QPruner, arXiv:2412.11629: prune → precision by importance (mutual information) → Bayesian optimisation → LoftQ + LoRA.
// Pruning, quantization and LoRA are methods of their own; `anneal qpruner` (src/run/qpruner) is the whole line.
import { codeBits, type QuantFormat } from '../../nn/quant/format.ts'
import type { FormatScore } from '../../probe/format-score.ts'
import { MUTUAL_INFORMATION } from './choices.ts'
import { layerInformation } from './mutual-information.ts'

/** The paper's importance, as a way to allocate formats: `chooseFormats(model, windows, { allocate: mutualInformation, … })`. */
export const mutualInformationScore: FormatScore = {
  name: MUTUAL_INFORMATION,
  losses: async (model, units, formats, calibration, watch) =>
    informationLosses(units, formats, await layerInformation(model, calibration, watch)),
}

/** The paper's rule as losses, [unit][format]: what a step from b to b' bits saves is I·log₂(b'/b), I the information of the unit's block. */
export function informationLosses(
  units: readonly { readonly block: number }[],
  formats: readonly QuantFormat[],
  information: readonly number[],
): number[][] {
  return units.map(({ block }) => formats.map((format) => -information[block]! * Math.log2(codeBits(format))))
}
