// How codes are chosen for a matrix: `rtn` takes the nearest levels, `gptq` makes up for each column's error in the columns after it, for
// the inputs that calibration text gives. int8 and int4 are rounded by both.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { QuantFormat } from '../../nn/quant/format.ts'
import { quantizeWeight } from '../../nn/quant/quantize-weight.ts'
import type { QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import type { Tensor } from '../../torch/index.ts'
import { turn, type Watch } from '../../work.ts'
import type { Quantizer } from './choices.ts'
import { gptq } from './gptq.ts'
import { forEachInputMoment } from './input-moments.ts'
import { isNormalFloatFormat } from './normal-float-blocks.ts'
import type { FormatUnit } from './units.ts'

/** A matrix [out, in] in a format; the matrix need not be the model's own. */
export type Quantize = (matrix: Tensor, format: QuantFormat) => QuantizedWeight

/** Calls `use(path, quantize)` for every matrix of the units, from the bottom up; `use` may replace the matrix in the model. */
export async function forEachQuantizer(
  model: Decoder,
  {
    units,
    quantizer,
    calibration,
  }: { units: readonly FormatUnit[]; quantizer: Quantizer; calibration: readonly Batch[] },
  use: (path: string, quantize: Quantize) => void,
  watch?: Watch,
): Promise<void> {
  const round: Quantize = (matrix, format) => quantizeWeight(matrix, { format })
  if (quantizer === 'rtn') {
    for (const path of units.flatMap(({ paths }) => paths)) {
      use(path, round)
      await turn(watch)
    }
    return
  }
  const byMoment =
    (moment: Tensor): Quantize =>
    (matrix, format) =>
      isNormalFloatFormat(format) ? gptq(matrix, moment, format) : round(matrix, format)
  await forEachInputMoment(model, units, calibration, (path, moment) => use(path, byMoment(moment)), watch)
}
