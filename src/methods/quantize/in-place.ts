// The matrices of a model in formats that are known already, one after the other in place: rounded or by GPTQ, and, for a LoRA that is to
// make up for what was lost, by LoftQ with start values for it.

import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { QuantFormat } from '../../nn/quant/format.ts'
import type { QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import { QuantLinear } from '../../nn/quant-linear.ts'
import type { Tensor } from '../../torch/index.ts'
import { Count, type Watch } from '../../work.ts'
import type { Quantizer } from './choices.ts'
import { type LoftqOptions, loftq } from './loftq.ts'
import { forEachQuantizer, type Quantize } from './quantizers.ts'
import { linearAt, quantUnits } from './units.ts'

/** What quantizing in place needs besides the model. */
export interface InPlaceOptions {
  /** Path of every matrix → format. */
  formats: ReadonlyMap<string, QuantFormat>
  quantizer: Quantizer
  /** Read by gptq only. */
  calibration: readonly Batch[]
}

/** Quantizes the matrices at the paths of `formats` in place. After an abort some are quantized and some are not. Tells of `quantizing`. */
export async function quantizeAs(model: Decoder, options: InPlaceOptions, watch?: Watch): Promise<void> {
  const put = (path: string, format: QuantFormat, quantize: Quantize): void =>
    putQuantized(model, path, quantize(linearAt(model, path).weight, format))
  await forEachFormat(model, options, put, watch)
}

/** Start values of a LoRA, and how far base and correction are from the matrix (Frobenius). */
export interface AdapterStart {
  /** [r, in] */
  A: Tensor
  /** [out, r] */
  B: Tensor
  before: number
  after: number
}

/** The same by LoftQ: base and correction together. Gives, for each path, the start of its adapter. */
export async function quantizeWithLoftq(
  model: Decoder,
  options: InPlaceOptions,
  loftqOptions: LoftqOptions,
  watch?: Watch,
): Promise<Map<string, AdapterStart>> {
  const starts = new Map<string, AdapterStart>()
  const put = (path: string, format: QuantFormat, quantize: Quantize): void => {
    const { weight } = linearAt(model, path)
    const { base, ...start } = loftq(weight, (matrix) => quantize(matrix, format), loftqOptions)
    putQuantized(model, path, base)
    starts.set(path, start)
  }
  await forEachFormat(model, options, put, watch)
  return starts
}

async function forEachFormat(
  model: Decoder,
  { formats, quantizer, calibration }: InPlaceOptions,
  use: (path: string, format: QuantFormat, quantize: Quantize) => void,
  watch?: Watch,
): Promise<void> {
  const units = quantUnits(model, 'matrix').filter(({ name }) => formats.has(name))
  const matrices = new Count(watch, { label: 'quantizing', unit: 'matrices', total: formats.size })
  const one = (path: string, quantize: Quantize): void => {
    use(path, formats.get(path)!, quantize)
    matrices.add()
  }
  await forEachQuantizer(model, { units, quantizer, calibration }, one, watch)
}

/** Puts the stored matrix in the place of the dense one at `path`, which is freed. */
export function putQuantized(model: Decoder, path: string, weight: QuantizedWeight): void {
  const linear = linearAt(model, path)
  model.replace(path, new QuantLinear(weight, linear.bias))
  linear.weight.free()
}
