// How much the gradient changes when one branch alone is dropped, for every branch: N + 1 forward and backward passes over one batch.
//   'gradient-norm'   S_l = Σ_k (‖G_k‖ − ‖G_k⁽ˡ⁾‖)²      'gradient'   S_l = Σ_k ‖G_k − G_k⁽ˡ⁾‖²      over trained parameters k
// where G is the whole gradient, G⁽ˡ⁾ the one without branch l, and a missing gradient is 0.
import { type Gradients, gradientNorms, probeGradients, squaredDistance } from '../../probe/gradients.ts'
import { type Generator, scope, type Tensor } from '../../torch/index.ts'
import type { BranchGates } from './branch-gates.ts'
import type { SensitivityKind } from './choices.ts'

export interface SensitivityProbe {
  gates: BranchGates
  /** Number of branches behind the gates. */
  branches: number
  /** The parameters that are trained. */
  parameters: readonly Tensor[]
  /** The run's random numbers: the same dropout in every pass, and as before afterwards. */
  generator: Generator | null
  /** A scalar with a graph, computed anew at each call. */
  loss: () => Tensor
  kind: SensitivityKind
}

/** S of every branch. Leaves gradients, random numbers and gates as they were. 'gradient' holds one more set of gradients. */
export function measureSensitivities({
  gates,
  branches,
  parameters,
  generator,
  loss,
  kind,
}: SensitivityProbe): Float64Array {
  const without = (branch: number): Gradients => {
    const dropped = Uint8Array.from({ length: branches }, (_, i) => (i === branch ? 1 : 0))
    return gates.run({ dropped, gains: null }, () => probeGradients(parameters, generator, loss))
  }
  return scope(() => {
    const whole = without(-1)
    const wholeNorms = gradientNorms(whole)
    // The norms need no gradients any more.
    if (kind === 'gradient-norm') for (const gradient of whole) gradient?.free()
    return Float64Array.from({ length: branches }, (_, branch) =>
      scope(() => {
        const partial = without(branch)
        if (kind === 'gradient') return squaredDistance(whole, partial)
        return gradientNorms(partial).reduce((sum, norm, k) => sum + (wholeNorms[k]! - norm) ** 2, 0)
      }),
    )
  })
}
