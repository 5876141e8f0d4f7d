// KL(p ‖ q), how far one distribution over the vocabulary is from another, where both are log-probabilities.
import type { Tensor } from '../torch/index.ts'

/** The terms p·(log p − log q) of log-probabilities [..., V]; their sum over the last dimension is KL(p ‖ q) in nats. */
export function divergenceTerms(logP: Tensor, logQ: Tensor): Tensor {
  return logP.exp().mul(logP.sub(logQ))
}
