// Gradients looked at without training: taken through `backward`, so that gradient checkpointing works, while the `.grad` of every
// parameter and the run's random numbers stay as they were. A missing gradient (null) counts as zero.
import { dropSegments } from '../torch/checkpointing.ts'
import { backward, enableGrad, type Generator, ops, scope, type Tensor } from '../torch/index.ts'

/** One tensor for each parameter, null where no gradient arrived. */
export type Gradients = readonly (Tensor | null)[]

/**
 * d(loss)/d(parameters). `generator` is rewound afterwards, so that every probe sees the same dropout and the run none of it.
 * Not between another forward pass and its backward pass.
 */
export function probeGradients(
  parameters: readonly Tensor[],
  generator: Generator | null,
  loss: () => Tensor,
): Gradients {
  const state = generator?.getState()
  const before = parameters.map((parameter) => parameter.grad?.keep() ?? null)
  for (const parameter of parameters) parameter.grad = null
  try {
    enableGrad(() => scope(() => backward(loss())))
    return parameters.map((parameter) => parameter.grad)
  } finally {
    dropSegments()
    for (const [i, parameter] of parameters.entries()) {
      parameter.grad = before[i]!
      before[i]?.free()
    }
    if (state !== undefined) generator!.setState(state)
  }
}

/** Euclidean norm of each gradient; 0 for a missing one. */
export function gradientNorms(gradients: Gradients): number[] {
  return scope(() => {
    const present = gradients.filter((gradient) => gradient !== null)
    // One tensor of all norms: on a GPU a single wait.
    const norms =
      present.length === 0 ? [] : ops.stack(ops.foreachNorm(present, 2).map((norm) => norm.to('f32'))).toArray()
    return gradients.map((gradient) => (gradient === null ? 0 : norms.shift()!))
  })
}

/** Σ ‖aₖ − bₖ‖² over all parameters. */
export function squaredDistance(a: Gradients, b: Gradients): number {
  return sumOver(a, b, (x, y) => (x && y ? x.to('f32').sub(y.to('f32')) : (x ?? y)!.to('f32')).pow(2).sum())
}

/** cos(a, b) over all parameters as one long vector; NaN when one of them is zero. */
export function cosine(a: Gradients, b: Gradients): number {
  const dot = (x: Gradients, y: Gradients): number =>
    sumOver(x, y, (u, v) => u && v && ops.dot(u.to('f32').reshape(-1), v.to('f32').reshape(-1)))
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

/** Sum of `term` over pairs of which at least one is there; null is 0. Added up in double precision. */
function sumOver(a: Gradients, b: Gradients, term: (x: Tensor | null, y: Tensor | null) => Tensor | null): number {
  return scope(() => {
    const terms = a.map((x, i) => (x || b[i] ? term(x, b[i]!) : null)).filter((value) => value !== null)
    return terms.length === 0
      ? 0
      : ops
          .stack(terms)
          .toArray()
          .reduce((sum, value) => sum + value, 0)
  })
}
