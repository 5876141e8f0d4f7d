// How the operators of our own are checked: their float32 kernels against the compositions beside them (which f64 takes), and those
// against finite differences. So every formula is checked by a route that shares no code with it.
import { expect } from 'vitest'
import { Generator, gradients, noGrad, ops, scope, setThreads, Tensor } from '../src/torch/index.ts'

export type Inputs = Record<string, Tensor>
export type Formula = (inputs: Inputs) => Tensor

/** Normal numbers in f64. */
export const random = (shape: number[], seed: number, scale = 1): Tensor =>
  ops.normal_(ops.empty(shape, 'f64'), 0, scale, new Generator(seed))

/** max |a − b| / max |b| */
export function relativeError(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape)
  return scope(() => {
    if (a.numel === 0) return 0
    const exact = b.to('f64')
    return a.to('f64').sub(exact).abs().max().item() / Math.max(exact.abs().max().item(), 1e-30)
  })
}

/** Value and gradients of Σ formula · g for a fixed random g. */
export function evaluate(formula: Formula, inputs: Inputs): { value: Tensor; grads: Inputs } {
  const leaves = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.detach().clone()]))
  for (const leaf of Object.values(leaves)) leaf.requiresGrad = true
  const value = formula(leaves)
  const upstream = random(value.shape, 77).to(value.dtype)
  const list = gradients([value], Object.values(leaves), { gradOutputs: [upstream] })
  return { value, grads: Object.fromEntries(Object.keys(leaves).map((name, i) => [name, list[i]!])) }
}

/** The f32 kernel agrees with the f64 composition, with and without recording, with one thread and two. */
export function checkAgainstComposition(
  formula: Formula,
  inputs: Inputs,
  { forward = 1e-5, gradient = 1e-4 }: { forward?: number; gradient?: number } = {},
): void {
  const exact = evaluate(formula, inputs)
  const narrow = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.to('f32')]))
  for (const threads of [1, 2]) {
    setThreads(threads)
    const ours = evaluate(formula, narrow)
    expect(ours.value.dtype).toBe('f32')
    expect(relativeError(ours.value, exact.value)).toBeLessThan(forward)
    for (const [name, grad] of Object.entries(ours.grads))
      expect(relativeError(grad, exact.grads[name]!), `d ${name}, ${threads} threads`).toBeLessThan(gradient)
    const plain = noGrad(() => formula(narrow))
    expect(relativeError(plain, exact.value)).toBeLessThan(forward)
  }
}

/** Gradients of the f64 composition agree with central differences at a few coordinates of every input. */
export function checkFiniteDifferences(formula: Formula, inputs: Inputs): void {
  const { grads } = evaluate(formula, inputs)
  const step = 1e-5
  const objective = (): number =>
    noGrad(() =>
      scope(() => {
        const value = formula(inputs)
        return value.mul(random(value.shape, 77).to(value.dtype)).sum().item()
      }),
    )
  for (const [name, tensor] of Object.entries(inputs)) {
    const flat = tensor.view(-1)
    const largest = grads[name]!.abs().max().item()
    for (let k = 0; k < Math.min(12, flat.numel); k++) {
      const entry = flat.narrow(0, (k * 37) % flat.numel, 1)
      const original = entry.item()
      entry.copy_(Tensor.from(new Float64Array([original + step])))
      const above = objective()
      entry.copy_(Tensor.from(new Float64Array([original - step])))
      const below = objective()
      entry.copy_(Tensor.from(new Float64Array([original])))
      const difference = (above - below) / (2 * step)
      const ours = grads[name]!.reshape(-1)
        .narrow(0, (k * 37) % flat.numel, 1)
        .item()
      expect(Math.abs(ours - difference) / largest, `${name}[${(k * 37) % flat.numel}]`).toBeLessThan(1e-7)
    }
  }
}
