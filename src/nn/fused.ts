// What goes into attention and into an MLP, in one operator each where the layers are plain: a token of a small model is hundreds of short
// operators, and calling them costs as much as their work. The numbers are those of the layers one after the other, and so is what is
// recorded for a backward pass (native/projections.cc); adapters, quantized weights and other norms take that way here.
import { autocastDtype, ops, type Tensor } from '../torch/index.ts'
import { Linear, type LinearLike } from './linear.ts'
import { type Norm, RmsNorm } from './norm.ts'

let isOff = false

/** Runs `body` with every layer called by itself. Tests compare the two ways by it. */
export function withoutFusing<T>(body: () => T): T {
  const before = isOff
  isOff = true
  try {
    return body()
  } finally {
    isOff = before
  }
}

const areFusible = (norm: Norm | null, linears: readonly LinearLike[]): linears is Linear[] =>
  !isOff &&
  autocastDtype() === null &&
  (norm === null || norm instanceof RmsNorm) &&
  linears.every((linear) => linear instanceof Linear)

/** `linear.forward(norm.forward(x))` for each of `linears`: x [..., in] → [..., out] each. No norm: of x itself. */
export function project(norm: Norm | null, x: Tensor, linears: readonly LinearLike[]): Tensor[] {
  if (areFusible(norm, linears)) {
    const { weight, eps, offset } = (norm as RmsNorm | null) ?? NONE
    return ops.normLinears(
      x,
      weight,
      eps,
      offset,
      linears.map((linear) => linear.weight),
      linears.map((linear) => linear.bias),
    )
  }
  const h = norm === null ? x : norm.forward(x)
  return linears.map((linear) => linear.forward(h))
}

/** `silu(gate(norm(x))) · up(norm(x))`: x [..., in] → [..., out]. */
export function gated(norm: Norm | null, x: Tensor, gate: LinearLike, up: LinearLike): Tensor {
  const linears = [gate, up]
  if (areFusible(norm, linears)) {
    const { weight, eps, offset } = (norm as RmsNorm | null) ?? NONE
    const [opened, raised] = linears as [Linear, Linear]
    return ops.gatedLinear(x, weight, eps, offset, opened.weight, opened.bias, raised.weight, raised.bias)
  }
  const h = norm === null ? x : norm.forward(x)
  return ops.swiglu(gate.forward(h), up.forward(h))
}

/** `residual + linear.forward(x)`; no residual: `linear.forward(x)`. */
export function addTo(residual: Tensor | null, linear: LinearLike, x: Tensor): Tensor {
  if (residual === null) return linear.forward(x)
  if (areFusible(null, [linear])) return ops.linear(x, (linear as Linear).weight, linear.bias, residual)
  return residual.add(linear.forward(x))
}

const NONE = { weight: null, eps: 0, offset: 0 } as const
