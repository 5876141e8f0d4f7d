// How well the gradient under random masks points where the whole gradient points: for one mask, and for the mean over many, in which
// the noise averages out and the bias stays.
import { cosine, probeGradients } from '../../probe/gradients.ts'
import { type Generator, ops, scope, type Tensor } from '../../torch/index.ts'
import type { BranchGates, Mask } from './branch-gates.ts'

export interface GradientCosine {
  /** Mean over the masks of cos(gradient under the mask, whole gradient), over the parameters that have one under the mask. */
  single: number
  /** cos(mean gradient over the masks, whole gradient), over all parameters. */
  averaged: number
}

/** Leaves gradients, random numbers and gates as they were; holds two more sets of gradients. */
export function gradientCosine(probe: {
  gates: BranchGates
  parameters: readonly Tensor[]
  generator: Generator | null
  loss: () => Tensor
  masks: readonly Mask[]
}): GradientCosine {
  const { gates, parameters, generator, loss, masks } = probe
  return scope(() => {
    const whole = probeGradients(parameters, generator, loss)
    const total = whole.map((gradient) => gradient && ops.zerosLike(gradient))
    let single = 0
    for (const mask of masks) {
      scope(() => {
        const partial = gates.run(mask, () => probeGradients(parameters, generator, loss))
        single +=
          cosine(
            partial,
            whole.map((gradient, k) => (partial[k] === null ? null : gradient)),
          ) / masks.length
        for (const [k, gradient] of partial.entries()) if (gradient !== null) total[k]!.add_(gradient)
      })
    }
    return { single, averaged: cosine(total, whole) }
  })
}
