// What a method may bring to the choice of formats: an opinion of its own of what each format costs each unit.
import type { Batch } from '../data/batch.ts'
import type { Decoder } from '../model/decoder.ts'
import type { QuantFormat } from '../nn/quant/format.ts'
import type { Watch } from '../work.ts'

/** Scores formats without measuring them; they are then given by loss saved per byte, best first. */
export interface FormatScore {
  /** As options, records and reports call it. */
  readonly name: string
  /** What every format costs every unit, [unit][format]; lower is better, and differences of one unit are what counts. */
  losses(
    model: Decoder,
    units: readonly { readonly block: number }[],
    formats: readonly QuantFormat[],
    calibration: readonly Batch[],
    watch?: Watch,
  ): Promise<number[][]>
}
