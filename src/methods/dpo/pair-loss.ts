// The arithmetic of preference losses, on log-probabilities alone: [P] numbers in, [P] losses and rewards out.
// DPO (arXiv:2305.18290v3): Eq. 7 → sigmoid · IPO (arXiv:2310.12036v2): Eq. 17 → ipo · SLiC-HF (arXiv:2305.10425): rank calibration → hinge
// SimPO (arXiv:2405.14734v3): Eq. 6 → simpo · ORPO (arXiv:2403.07691v2): Eq. 6 and 7 → orpo
import { noGrad, ops, type Tensor } from '../../torch/index.ts'
import type { PreferenceLoss } from './losses.ts'

/** log π(answer | prompt) of P pairs, [P] each: sums over the answer's tokens, or means where the loss is length-normalised. */
export interface PairLogProbs {
  chosen: Tensor
  rejected: Tensor
  /** Of the reference; needed by sigmoid, hinge and ipo. */
  referenceChosen?: Tensor
  referenceRejected?: Tensor
}

export interface PairLossOptions {
  loss: PreferenceLoss
  beta: number
  /** Share of the pairs that are taken to be labelled the wrong way round. */
  labelSmoothing: number
  /** SimPO's γ: the reward margin that is aimed at. */
  gamma: number
}

/** One number per pair, [P]; rewards carry no graph. */
export interface PairLoss {
  losses: Tensor
  chosenRewards: Tensor
  rejectedRewards: Tensor
}

/** Losses and implicit rewards β·log(π/π_ref) of P pairs. */
export function pairLoss(logProbs: PairLogProbs, options: PairLossOptions): PairLoss {
  const { referenceChosen, referenceRejected } = logProbs
  const { beta } = options
  const chosen = referenceChosen ? logProbs.chosen.sub(referenceChosen) : logProbs.chosen
  const rejected = referenceRejected ? logProbs.rejected.sub(referenceRejected) : logProbs.rejected
  const losses = lossesOf(chosen, rejected, options)
  return noGrad(() => ({ losses, chosenRewards: chosen.mul(beta), rejectedRewards: rejected.mul(beta) }))
}

/** `chosen`, `rejected` [P]: log(π/π_ref), or log π where there is no reference. */
function lossesOf(chosen: Tensor, rejected: Tensor, { loss, beta, labelSmoothing, gamma }: PairLossOptions): Tensor {
  const margin = chosen.sub(rejected)
  switch (loss) {
    case 'sigmoid':
      return smoothed(margin.mul(beta), labelSmoothing) // DPO Eq. 7
    case 'simpo':
      return smoothed(margin.mul(beta).sub(gamma), labelSmoothing) // SimPO Eq. 6
    case 'hinge':
      return ops.relu(margin.mul(-beta).add(1)) // SLiC-HF's hinge on DPO's rewards
    case 'ipo':
      return ops.square(margin.sub(1 / (2 * beta))) // IPO Eq. 17, τ = β
    case 'orpo': {
      const ratio = logOdds(chosen).sub(logOdds(rejected))
      return ops.logSigmoid(ratio).mul(-beta).sub(chosen) // ORPO Eq. 6 and 7, λ = β
    }
  }
}

/** −log σ(x), with a share of the labels turned round: conservative DPO. */
function smoothed(x: Tensor, labelSmoothing: number): Tensor {
  const straight = ops.logSigmoid(x)
  if (labelSmoothing === 0) return straight.neg()
  return straight.mul(labelSmoothing - 1).sub(ops.logSigmoid(x.neg()).mul(labelSmoothing))
}

/** log(p / (1 − p)) of log p; an answer that is all but certain stays finite. */
function logOdds(logProb: Tensor): Tensor {
  const below = ops.clamp(logProb, null, -1e-6)
  return below.sub(ops.log1p(below.exp().neg()))
}
