// Dropout with masks from the run's own generator, so that a resumed run and a recomputed segment draw the same ones.
import { type Generator, ops, type Tensor } from '../torch/index.ts'

/** Zeroes entries with probability `rate` and scales the rest by 1/(1 − rate); without a generator (inference) it is the identity. */
export function dropout(x: Tensor, rate: number, generator: Generator | null): Tensor {
  if (rate === 0 || generator === null) return x
  const keep = ops.bernoulli_(ops.emptyLike(x.detach()), 1 - rate, generator)
  return x.mul(rate === 1 ? keep : keep.mul_(1 / (1 - rate)))
}
