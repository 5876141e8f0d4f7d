// One vector for a text from those of its tokens.

import type { Pooling } from './lm.ts'

/** `states` [T, D] row-major → [D], or with `none` [T, D]; with `normalize` every vector has length 1 (0 stays 0). Sums are in f64. */
export function pool(states: Float32Array, width: number, pooling: Pooling, normalize = false): Float32Array {
  const length = states.length / width
  let pooled = states.slice(pooling === 'last' ? states.length - width : 0)
  if (pooling === 'mean') {
    const sums = new Float64Array(width)
    for (let i = 0; i < states.length; i++) sums[i % width]! += states[i]!
    pooled = Float32Array.from(sums, (sum) => sum / length)
  }
  if (normalize) for (let i = 0; i < pooled.length; i += width) toUnitLength(pooled.subarray(i, i + width))
  return pooled
}

function toUnitLength(vector: Float32Array): void {
  let square = 0
  for (const value of vector) square += value * value
  if (square === 0) return
  const length = Math.sqrt(square)
  for (let i = 0; i < vector.length; i++) vector[i]! /= length
}
