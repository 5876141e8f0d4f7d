// f32 → super-blocks of 256 values whose parts have small integer scales, found by search as in ggml's reference. Sums are in f64
// here and in f32 there, so single levels differ, the error does not.
// Source: ggml/src/ggml-quants.c, `make_qkx2_quants`, `make_qx_quants`, `quantize_row_q4_K_ref`, `quantize_row_q6_K_ref`.

import { putHalf, roundToHalf } from './half.ts'

/** Reads the block at `from` of `values` and writes it to `out`, beginning at `to`. */
export type BlockWriter = (values: Float32Array, from: number, out: Uint8Array, to: number) => void

const { fround } = Math
// Adding 1.5 · 2²³ in f32 leaves the nearest integer, ties to even, in the low bits.
const EVEN = 12_582_912

/** The nearest integer, ties to even, for magnitudes below 2²². */
function nearest(value: number): number {
  return fround(fround(value) + EVEN) - EVEN
}

function clamped(value: number, low: number, high: number): number {
  const level = nearest(value)
  return level < low ? low : Math.min(level, high)
}

const levels = new Uint8Array(256)
const weights = new Float64Array(32)
const shifted = new Float64Array(32)
const scales = new Float64Array(16)
const minima = new Float64Array(8)

/**
 * Finds scale and minimum for 32 values with levels 0 to 15 by weighted least squares over 21 step widths, which is
 * `make_qkx2_quants(32, 15, x, weights, …, -1, 0.1, 20, false)`. Leaves the minimum's negative in `minima[part]`.
 */
function searchScaleAndMinimum(x: Float32Array, from: number, part: number): number {
  let squares = 0
  let low = x[from]!
  let high = low
  for (let i = 0; i < 32; i++) {
    const value = x[from + i]!
    squares += value * value
    if (value < low) low = value
    if (value > high) high = value
  }
  if (low > 0) low = 0
  minima[part] = -low
  if (high === low) return 0
  const mean = Math.sqrt(squares / 32)
  let sumW = 0
  let sumX = 0
  let sumXX = 0
  for (let i = 0; i < 32; i++) {
    const value = x[from + i]!
    const weight = mean + Math.abs(value)
    weights[i] = weight
    shifted[i] = value - low
    sumW += weight
    sumX += weight * value
    sumXX += weight * value * value
  }
  let scale = (high - low) / 15
  let best = Number.POSITIVE_INFINITY
  for (let step = -1; step <= 20; step++) {
    // The first round is the plain grid; the search widens and narrows it.
    const inverse = (step < 0 ? 15 : 14 + 0.1 * step) / (high - low)
    let sumL = 0
    let sumLL = 0
    let sumXL = 0
    for (let i = 0; i < 32; i++) {
      const rounded = (inverse * shifted[i]! + 0.5) | 0
      const level = Math.min(rounded, 15)
      const weighted = weights[i]! * level
      sumL += weighted
      sumLL += weighted * level
      sumXL += weighted * x[from + i]!
    }
    let ownScale = scale
    let ownMinimum = low
    if (step >= 0) {
      const determinant = sumW * sumLL - sumL * sumL
      if (determinant <= 0) continue
      ownScale = (sumW * sumXL - sumX * sumL) / determinant
      ownMinimum = (sumLL * sumX - sumL * sumXL) / determinant
      if (ownMinimum > 0) {
        ownMinimum = 0
        ownScale = sumXL / sumLL
      }
    }
    // Σ w·(s·l + m − x)², multiplied out: the levels need not be kept.
    const error =
      ownScale * ownScale * sumLL +
      ownMinimum * ownMinimum * sumW +
      sumXX +
      2 * (ownScale * ownMinimum * sumL - ownScale * sumXL - ownMinimum * sumX)
    if (error >= best) continue
    best = error
    scale = ownScale
    minima[part] = -ownMinimum
  }
  return scale
}

/** Q4_K: eight parts of 32 values, each with a scale and a minimum of 6 bits. */
export const q4K: BlockWriter = (values, from, out, to) => {
  let [maxScale, maxMinimum] = [0, 0]
  for (let j = 0; j < 8; j++) {
    scales[j] = searchScaleAndMinimum(values, from + 32 * j, j)
    maxScale = Math.max(maxScale, scales[j]!)
    maxMinimum = Math.max(maxMinimum, minima[j]!)
  }
  putHalf(out, to, maxScale / 63)
  putHalf(out, to + 2, maxMinimum / 63)
  const [d, dmin] = [roundToHalf(maxScale / 63), roundToHalf(maxMinimum / 63)]
  for (let j = 0; j < 8; j++) {
    const scale = maxScale > 0 ? Math.min(63, nearest((63 / maxScale) * scales[j]!)) : 0
    const minimum = maxMinimum > 0 ? Math.min(63, nearest((63 / maxMinimum) * minima[j]!)) : 0
    putScaleAndMinimum(out, to + 4, j, scale, minimum)
    const [step, offset] = [fround(d * scale), fround(dmin * minimum)]
    for (let i = 32 * j; i < 32 * j + 32; i++) {
      levels[i] = step === 0 ? 0 : clamped((values[from + i]! + offset) / step, 0, 15)
    }
  }
  for (let i = 0; i < 128; i++) {
    const first = (i >> 5) * 64 + (i & 31)
    out[to + 16 + i] = levels[first]! | (levels[first + 32]! << 4)
  }
}

/** Packs two 6-bit numbers so that `scaleAndMinimum` of dequantize.ts finds them. */
function putScaleAndMinimum(out: Uint8Array, at: number, j: number, scale: number, minimum: number): void {
  if (j < 4) {
    out[at + j] = scale
    out[at + j + 4] = minimum
    return
  }
  out[at + j + 4] = (scale & 15) | ((minimum & 15) << 4)
  out[at + j - 4]! |= (scale >> 4) << 6
  out[at + j]! |= (minimum >> 4) << 6
}

/** Too small to divide by; ggml's own threshold. */
const SMALLEST = 1e-15

/** The scale for 16 values with levels −32 to 31 that loses least, weighted by x²: `make_qx_quants(16, 32, x, …, 1)`. */
function searchScale(x: Float32Array, from: number): number {
  let largest = 0
  let extreme = 0
  for (let i = 0; i < 16; i++) {
    const magnitude = Math.abs(x[from + i]!)
    if (magnitude > largest) {
      largest = magnitude
      extreme = x[from + i]!
    }
  }
  if (largest < SMALLEST) return 0
  let scale = 0
  let best = 0
  for (let step = -9; step <= 9; step++) {
    const inverse = -(32 + 0.1 * step) / extreme
    let sumXL = 0
    let sumLL = 0
    for (let i = 0; i < 16; i++) {
      const value = x[from + i]!
      // Never below −35 or above 35: shifted, cutting is rounding.
      const rounded = ((inverse * value + 64.5) | 0) - 64
      const level = rounded > 31 ? 31 : Math.max(rounded, -32)
      const weighted = value * value * level
      sumXL += weighted * value
      sumLL += weighted * level
    }
    if (sumLL <= 0 || sumXL * sumXL <= best * sumLL) continue
    scale = sumXL / sumLL
    best = scale * sumXL
  }
  return scale
}

/** Q6_K: sixteen parts of 16 values, each with a scale of 8 bits. */
export const q6K: BlockWriter = (values, from, out, to) => {
  let [largest, extreme] = [0, 0]
  for (let part = 0; part < 16; part++) {
    const scale = searchScale(values, from + 16 * part)
    scales[part] = scale
    if (Math.abs(scale) > largest) {
      largest = Math.abs(scale)
      extreme = scale
    }
  }
  // Levels of zero stand for 32 in the file, which the bytes below must say even of an empty block.
  const inverse = largest < SMALLEST ? 0 : -128 / extreme
  const scale = inverse === 0 ? 0 : 1 / inverse
  putHalf(out, to + 208, scale)
  const d = roundToHalf(scale)
  for (let part = 0; part < 16; part++) {
    const own = Math.min(127, nearest(inverse * scales[part]!))
    out[to + 192 + part] = own
    const step = fround(d * own)
    for (let i = 16 * part; i < 16 * part + 16; i++) {
      levels[i] = 32 + (step === 0 ? 0 : clamped(values[from + i]! / step, -32, 31))
    }
  }
  for (let i = 0; i < 128; i++) {
    const first = (i >> 6) * 128 + (i & 63)
    out[to + i] = (levels[first]! & 15) | ((levels[first + 64]! & 15) << 4)
  }
  for (let i = 0; i < 64; i++) {
    const first = (i >> 5) * 128 + (i & 31)
    out[to + 128 + i] =
      (levels[first]! >> 4) |
      ((levels[first + 32]! >> 4) << 2) |
      ((levels[first + 64]! >> 4) << 4) |
      ((levels[first + 96]! >> 4) << 6)
  }
}
