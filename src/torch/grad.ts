// Gradient mode and backward. `backward` also plays back the segments that gradient checkpointing cut out (checkpointing.ts).
import { dropSegments, playBack } from './checkpointing.ts'
import { native } from './native.ts'
import { type Tensor, wrap } from './tensor.ts'

/** Runs `body` without recording a graph. */
export function noGrad<T>(body: () => T): T {
  return withGrad(false, body)
}

/**
 * Runs `body` without recording, and with products that give a row the same bits whatever rows are beside it (native/multiply.cc). For
 * inference: `noGrad` alone gives the numbers that recording gives.
 */
export function inference<T>(body: () => T): T {
  const before = native.setInference(true)
  try {
    return noGrad(body)
  } finally {
    native.setInference(before)
  }
}

/** Runs `body` recording a graph, also inside `noGrad`. */
export function enableGrad<T>(body: () => T): T {
  return withGrad(true, body)
}

function withGrad<T>(on: boolean, body: () => T): T {
  const before = native.setGradEnabled(on)
  try {
    return body()
  } finally {
    native.setGradEnabled(before)
  }
}

/** True while operations record a graph. */
export function isGradEnabled(): boolean {
  const before = native.setGradEnabled(true)
  native.setGradEnabled(before)
  return before
}

/**
 * Accumulates d(output)/d(leaf) into every leaf's `grad`. `gradient` (same shape as `output`) may be left out for a scalar.
 * Does nothing when nothing that requires a gradient took part, as when every branch was dropped.
 */
export function backward(output: Tensor, gradient?: Tensor, options: { retainGraph?: boolean } = {}): void {
  try {
    if (output.requiresGrad) native.backward([output.handle], [gradient?.handle ?? 0], options.retainGraph ?? false)
    playBack()
  } catch (error) {
    dropSegments()
    throw error
  }
}

/** d(outputs)/d(inputs) without touching `.grad`; null where an input took no part. Ends at the output of a `checkpoint`. */
export function gradients(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: { gradOutputs?: readonly Tensor[]; retainGraph?: boolean; createGraph?: boolean } = {},
): (Tensor | null)[] {
  const handles = native.gradients(
    outputs.map((tensor) => tensor.handle),
    inputs.map((tensor) => tensor.handle),
    options.gradOutputs?.map((tensor) => tensor.handle) ?? outputs.map(() => 0),
    options.retainGraph ?? options.createGraph ?? false,
    options.createGraph ?? false,
  )
  return handles.map((handle) => (handle === 0 ? null : wrap(handle)))
}
