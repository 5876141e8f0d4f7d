// What a group is worth, from the weights W, the gradient G = ∂L/∂W and the diagonal empirical Fisher A = mean of squared gradients.
// LLM-Pruner (arXiv:2305.11627): one number for each row or column, summed over a head's, then over the matrices of the group.
// FLAP (arXiv:2312.11983): variance of an input feature times the squared norm of its column, standardised by layer. All in f32 or better.
import { NonFiniteError } from '../../errors.ts'
import { type Generator, noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import type { FeatureStatistics } from './feature-statistics.ts'
import type { Evidence } from './gradient-evidence.ts'
import type { GroupSet, Member } from './groups.ts'
import type { Importance, ResolvedOptions } from './options.ts'

/** Importances that are sums over the elements of a matrix. */
export type Elementwise = Exclude<Importance, 'flap' | 'random'>

/** Scores of the groups of one set by weights and gradients; low ones go first. */
export function elementwiseScores(
  set: GroupSet,
  importance: Elementwise,
  aggregate: ResolvedOptions['aggregate'],
  evidence: (parameter: Tensor) => Evidence | null,
): number[] {
  const scores = noGrad(() =>
    scope(() => {
      const perMember = ops.stack(
        set.members.map((member) => memberScores(member, importance, evidence).view(set.count, -1).sum(1)),
      ) // [members, groups]
      if (aggregate === 'max') return ops.amax(perMember, [0]).toArray()
      return (aggregate === 'mean' ? perMember.mean(0) : perMember.sum(0)).toArray()
    }),
  )
  return finite(scores, set)
}

/** One score for each channel of a matrix: its row with the bias, or its column. */
export function memberScores(
  { linear: { weight, bias }, side }: Member,
  importance: Elementwise,
  evidence: (parameter: Tensor) => Evidence | null,
): Tensor {
  let scores = salience(importance, weight, evidence(weight)).sum(side === 'rows' ? 1 : 0)
  if (side === 'rows' && bias !== null) scores = scores.add(salience(importance, bias, evidence(bias)))
  // Vector: contributions of one row may cancel; elsewhere the elements are positive.
  return importance === 'taylor-vector' ? scores.abs() : scores
}

/** Worth of each element. */
function salience(importance: Elementwise, parameter: Tensor, evidence: Evidence | null): Tensor {
  const W = parameter.to('f32')
  switch (importance) {
    case 'l1':
      return W.abs()
    case 'l2':
      return ops.square(W)
    case 'taylor-element':
      return W.mul(evidence!.gradient).abs()
    case 'taylor-vector':
      return W.mul(evidence!.gradient)
    case 'taylor-second':
      return ops.square(W).mul(evidence!.square!)
    case 'taylor-mixed':
      return W.mul(evidence!.gradient).sub(ops.square(W).mul(evidence!.square!).mul(0.5)).abs()
  }
}

/** FLAP's scores: Var(x_j)·‖W_:j‖², standardised over the layer's channels, mean over the channels of a group. */
export function fluctuationScores(set: GroupSet, { variance }: FeatureStatistics): number[] {
  const { weight } = set.members.at(-1)!.linear
  const scores = noGrad(() =>
    scope(() => {
      const channels = variance.mul(ops.square(weight.to('f64')).sum(0))
      return Array.from(standardise(channels.toArray()))
    }),
  )
  const size = scores.length / set.count
  const means = Array.from(
    { length: set.count },
    (_, group) => scores.slice(group * size, (group + 1) * size).reduce((a, b) => a + b, 0) / size,
  )
  return finite(means, set)
}

/** Uniform numbers. */
export function randomScores(set: GroupSet, generator: Generator): number[] {
  return scope(() => ops.uniform_(ops.empty([set.count], 'f32'), 0, 1, generator).toArray())
}

/** (x − mean) / standard deviation; zeros where all are equal. */
export function standardise(values: readonly number[]): number[] {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1)
  return values.map((value) => (variance === 0 ? 0 : (value - mean) / Math.sqrt(variance)))
}

function finite(scores: number[], { layer, kind }: GroupSet): number[] {
  if (scores.every(Number.isFinite)) return scores
  throw new NonFiniteError(
    `scores of layer ${layer} (${kind}): expected finite numbers, got others. Load the model as f32 or bf16, and check its weights`,
  )
}
