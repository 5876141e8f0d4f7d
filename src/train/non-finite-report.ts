// Where a number stopped being finite: the largest weight and gradient of every module, taken before the gradients are dropped.

import type { Layer } from '../nn/layer.ts'
import { noGrad, ops, scope, type Tensor } from '../torch/index.ts'

/** What is known of a step whose loss or gradients were not finite. */
export interface NonFiniteReport {
  /** The step that failed, from 1, and its micro-batches: first and last index into the batches of the run. */
  step: number
  batches: [first: number, last: number]
  loss: number
  gradientNorm: number
  /** In the order of the forward pass; `gradient` is null for what is not trained or got none. */
  modules: { name: string; weight: number; gradient: number | null }[]
}

/** Largest absolute values of all parameters of `model`; NaN where one is. */
export function moduleMagnitudes(model: Layer): NonFiniteReport['modules'] {
  const largest = (tensor: Tensor): number =>
    scope(() => noGrad(() => ops.amax(tensor.detach().to('f32').abs()).item()))
  return Array.from(model.parameters(), ([name, parameter]) => ({
    name,
    weight: largest(parameter),
    gradient: parameter.grad === null ? null : largest(parameter.grad),
  }))
}

/** One line: the first weight that is not finite, else the first gradients, else that all are. */
export function describeModules(modules: NonFiniteReport['modules']): string {
  const weight = modules.find(({ weight }) => !Number.isFinite(weight))
  if (weight !== undefined) return `${weight.name} holds ${weight.weight}`
  const bad = modules.filter(({ gradient }) => gradient !== null && !Number.isFinite(gradient))
  if (bad.length === 0) return 'every weight and gradient on its own is finite'
  return `not finite: the gradients of ${bad.length} of ${modules.filter(({ gradient }) => gradient !== null).length} modules, among them ${bad[0]!.name}`
}
