// The matrices of a model → quantized ones, and back to dense ones. Which formats there are is nn/quant/format.ts.
import { UsageError } from '../errors.ts'
import { Linear } from '../nn/linear.ts'
import { type QuantOptions, type QuantSpec, resolveSpec } from '../nn/quant/format.ts'
import { quantizeWeight } from '../nn/quant/quantize-weight.ts'
import { QuantLinear } from '../nn/quant-linear.ts'
import type { DType } from '../torch/index.ts'
import type { Decoder } from './decoder.ts'
import { HEAD, isEmbedding, plainLinearsOf, putLinear, untieHead } from './linears.ts'

/** One format for every matrix of the blocks, or formats by module path; modules that are not named stay as they are. */
export type QuantPlan = QuantOptions | ReadonlyMap<string, QuantOptions>

/** What quantizing did. */
export interface QuantReport {
  /** Matrices by format. */
  modules: Record<string, number>
  /** Bytes that they take now, and would take in bf16. */
  bytes: number
  bf16Bytes: number
}

/** The format that a plan gives to the matrix at `path`; undefined: it stays dense. */
export function plannedSpec(plan: QuantPlan, path: string): QuantSpec | undefined {
  const options = isMap(plan) ? plan.get(path) : path.startsWith('model.layers.') ? plan : undefined
  return options && resolveSpec(options)
}

/**
 * Replaces the matrices that `plan` names by quantized ones and frees the dense ones, one after the other. Embeddings, norms, biases
 * and, unless named (`lm_head`), the head stay; the head of a tied model is quantized as a matrix of its own. A UsageError leaves
 * the model as it was.
 *
 * @example
 * quantizeModel(model, { format: 'int4', blockSize: 32 })
 */
export function quantizeModel(model: Decoder, plan: QuantPlan): QuantReport {
  const linears = plainLinearsOf(model)
  checkPlan(plan, linears)
  for (const [path, linear] of linears) {
    const spec = plannedSpec(plan, path)
    if (spec === undefined) continue
    putLinear(model, path, new QuantLinear(quantizeWeight(linear.weight, spec), linear.bias))
    if (!isEmbedding(model, linear)) linear.weight.free()
  }
  return reportOf(model)
}

/** Replaces every quantized matrix by the dense one that it stands for. A tied head that was quantized is no longer tied. */
export function dequantizeModel(model: Decoder, dtype: DType = 'f32'): void {
  for (const [path, layer] of quantLinears(model)) {
    putLinear(model, path, new Linear(layer.weight.dequantize(dtype).keep(), layer.bias))
    layer.weight.free()
    if (path === HEAD) untieHead(model)
  }
}

/** Every quantized matrix of the model by path. */
export function quantLinears(model: Decoder): Map<string, QuantLinear> {
  const found = new Map<string, QuantLinear>()
  for (const [path, layer] of model.walk()) if (layer instanceof QuantLinear) found.set(path, layer)
  return found
}

function checkPlan(plan: QuantPlan, linears: ReadonlyMap<string, Linear>): void {
  if (!isMap(plan)) resolveSpec(plan)
  else {
    for (const [path, options] of plan) {
      resolveSpec(options)
      if (!linears.has(path))
        throw new UsageError(`quantization plan: ${path}: expected a dense matrix of this model, got none there`)
    }
  }
}

function reportOf(model: Decoder): QuantReport {
  const report: QuantReport = { modules: {}, bytes: 0, bf16Bytes: 0 }
  for (const { weight } of quantLinears(model).values()) {
    report.modules[weight.format] = (report.modules[weight.format] ?? 0) + 1
    report.bytes += weight.bytes
    report.bf16Bytes += 2 * weight.shape[0]! * weight.shape[1]!
  }
  return report
}

function isMap(plan: QuantPlan): plan is ReadonlyMap<string, QuantOptions> {
  return plan instanceof Map
}
