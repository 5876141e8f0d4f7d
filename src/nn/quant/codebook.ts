// The tables of values that codes stand for. NormalFloat: quantiles of the normal distribution with an exact 0, as bitsandbytes and
// PEFT's LoftQ compute them (QLoRA, arXiv:2305.14314v1 §3 and appendix E). Scales: the dynamic 8-bit type of arXiv:2110.02861v2, which
// bitsandbytes takes for double quantization.
import { ops, scope, Tensor } from '../../torch/index.ts'
import type { NormalFloat } from './format.ts'

export type Codebook = NormalFloat | 'scales'

/** Probability of the outermost quantile: half-way between 1 − 1/32 and 1 − 1/30, as in the reference code. */
const OFFSET = 0.9677083

const numbers = new Map<Codebook, readonly number[]>()
const onDevice = new Map<string, Tensor>()

/** The values of codes 0, 1, …, from −1 to 1. */
export function codebookValues(kind: Codebook): readonly number[] {
  let values = numbers.get(kind)
  if (values === undefined) {
    values = kind === 'scales' ? dynamicValues() : normalFloat(Number(kind.slice(2)))
    numbers.set(kind, values)
  }
  return values
}

/** `codebookValues` as an f32 tensor that lives as long as the process. */
export function codebook(kind: Codebook, device: string): Tensor {
  const key = `${kind} ${device}`
  let tensor = onDevice.get(key)
  if (tensor === undefined) {
    tensor = scope(() => Tensor.from(codebookValues(kind)).to(device).keep())
    onDevice.set(key, tensor)
  }
  return tensor
}

/** 2^(k−1) quantiles above 0, one fewer below, and 0; scaled to end at ±1. */
function normalFloat(bits: number): number[] {
  const half = 2 ** (bits - 1)
  const above = quantiles(spaced(OFFSET, 0.5, half + 1).slice(0, -1))
  const below = quantiles(spaced(OFFSET, 0.5, half).slice(0, -1)).map((value) => -value)
  const largest = above[0]!
  return [...above, 0, ...below].sort((a, b) => a - b).map((value) => value / largest)
}

/** Φ⁻¹(p) = √2·erf⁻¹(2p − 1), in f64. */
function quantiles(probabilities: readonly number[]): number[] {
  return scope(() =>
    ops
      .erfinv(Tensor.from(Float64Array.from(probabilities, (p) => 2 * p - 1)))
      .mul(Math.SQRT2)
      .toArray(),
  )
}

/** Seven decades, each with twice as many values as the one below; 0 and 1 fill up the 256. */
function dynamicValues(): number[] {
  const values = [0, 1]
  for (let decade = 0; decade < 7; decade++) {
    const edges = spaced(0.1, 1, 2 ** decade + 1)
    for (let i = 0; i + 1 < edges.length; i++) {
      const value = 10 ** (decade - 6) * ((edges[i]! + edges[i + 1]!) / 2)
      values.push(value, -value)
    }
  }
  return values.sort((a, b) => a - b)
}

/** `count` numbers from `first` to `last`. */
function spaced(first: number, last: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + ((last - first) * i) / (count - 1))
}
