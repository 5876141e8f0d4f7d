// What goes into attention and into an MLP, in one operator each where the layers are plain: a token of a small model is hundreds of short
// operators, and calling them costs as much as their work. The numbers are those of the layers one after the other, and so is what is
// recorded for a backward pass (native/projections.cc, native/frozen.cc); adapters and other norms take that way here.
import { autocastDtype, ops, type Tensor } from '../torch/index.ts'
import { FrozenLinear } from './frozen-linear.ts'
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

const isFusible = (norm: Norm | null): boolean =>
  !isOff && autocastDtype() === null && (norm === null || norm instanceof RmsNorm)
const areDense = (linears: readonly LinearLike[]): linears is Linear[] =>
  linears.every((linear) => linear instanceof Linear)
const areFrozen = (linears: readonly LinearLike[]): linears is FrozenLinear[] =>
  linears.every((linear) => linear instanceof FrozenLinear)

const weightsOf = (linears: readonly Linear[]): Tensor[] => linears.map(({ weight }) => weight)
const biasesOf = (linears: readonly LinearLike[]): (Tensor | null)[] => linears.map(({ bias }) => bias)
const partsOf = (linears: readonly FrozenLinear[]): (Tensor | null)[] => linears.flatMap(({ weight }) => weight.parts)
const layoutOf = (linears: readonly FrozenLinear[]): number[] => linears.flatMap(({ weight }) => weight.layout)

const numbersOf = (norm: Norm | null): [weight: Tensor | null, eps: number, offset: number] => {
  if (norm === null) return [null, 0, 0]
  const { weight, eps, offset } = norm as RmsNorm
  return [weight, eps, offset]
}

/**
 * `linear.forward(norm.forward(x))` for each of `linears`: x [..., in] → [..., out] each, or with `headDim` [..., out / headDim, headDim]. No
 * norm: of x itself.
 */
export function project(norm: Norm | null, x: Tensor, linears: readonly LinearLike[], headDim = 0): Tensor[] {
  if (isFusible(norm)) {
    if (areDense(linears)) return ops.normLinears(x, ...numbersOf(norm), weightsOf(linears), biasesOf(linears), headDim)
    if (areFrozen(linears))
      return ops.frozenLinears(x, ...numbersOf(norm), partsOf(linears), layoutOf(linears), biasesOf(linears), headDim)
  }
  const h = norm === null ? x : norm.forward(x)
  const results = linears.map((linear) => linear.forward(h))
  return headDim === 0 ? results : results.map((y) => y.view(...y.shape.slice(0, -1), -1, headDim))
}

/** The layers of a gated MLP. */
export interface GatedMlp {
  gate: LinearLike
  up: LinearLike
  down: LinearLike
}

/** `residual + down(silu(gate(norm(x))) · up(norm(x)))`: x [..., in] → [..., out]; no residual: without it. */
export function gatedMlp(norm: Norm | null, x: Tensor, layers: GatedMlp, residual: Tensor | null = null): Tensor {
  const { gate, up, down } = layers
  if (isFusible(norm)) {
    const all = [gate, up, down]
    if (areFrozen(all))
      return ops.frozenMlp(x, ...numbersOf(norm), partsOf(all), layoutOf(all), biasesOf(all), residual)
    if (areDense(all)) {
      const [g, u, d] = all as [Linear, Linear, Linear]
      return ops.gatedMlp(x, ...numbersOf(norm), g.weight, g.bias, u.weight, u.bias, d.weight, d.bias, residual)
    }
  }
  const [opened, raised] = project(norm, x, [gate, up]) as [Tensor, Tensor]
  return addTo(residual, down, ops.swiglu(opened, raised))
}

/** `residual + linear.forward(x)`; no residual: `linear.forward(x)`. */
export function addTo(residual: Tensor | null, linear: LinearLike, x: Tensor): Tensor {
  if (residual === null) return linear.forward(x)
  if (isFusible(null)) {
    if (linear instanceof Linear) return ops.linear(x, linear.weight, linear.bias, residual)
    if (linear instanceof FrozenLinear)
      return ops.frozenLinear(x, linear.bias, residual, linear.weight.parts, linear.weight.layout)
  }
  return residual.add(linear.forward(x))
}
