// Which micro-batches an optimizer step takes. A step never runs on into the next epoch: the last one of an epoch, and of a run that is
// told in epochs, takes what is left and is normalised over that. So an epoch is an epoch, however long the accumulation.

/** The steps of a run as a function of their number: nothing is stored, so a run resumes at any of them. */
export interface StepPlan {
  /** Optimizer steps in an epoch. */
  readonly stepsPerEpoch: number
  /** The micro-batches of step `step`, counted from 0: `count` of them from index `first` of the source on. */
  microBatches(step: number): { first: number; count: number }
  /** Epochs that are behind after `steps` steps. */
  epochsAfter(steps: number): number
}

/** The plan for a source of `batchesPerEpoch` micro-batches, `accumulation` of them a step, that ends after `epochs` where they are given. */
export function stepPlan(batchesPerEpoch: number, accumulation: number, epochs?: number): StepPlan {
  const stepsPerEpoch = Math.ceil(batchesPerEpoch / accumulation)
  const end = epochs === undefined ? Number.POSITIVE_INFINITY : batchesIn(epochs, batchesPerEpoch)
  const microBatches = (step: number): { first: number; count: number } => {
    const begun = Math.floor(step / stepsPerEpoch) * batchesPerEpoch
    const first = begun + (step % stepsPerEpoch) * accumulation
    return { first, count: Math.min(accumulation, begun + batchesPerEpoch - first, Math.max(1, end - first)) }
  }
  return {
    stepsPerEpoch,
    microBatches,
    epochsAfter(steps) {
      if (steps === 0) return 0
      const { first, count } = microBatches(steps - 1)
      return (first + count) / batchesPerEpoch
    },
  }
}

/** Optimizer steps in so many epochs, which need not be whole; at least one. */
export function stepsIn(epochs: number, batchesPerEpoch: number, accumulation: number): number {
  const batches = batchesIn(epochs, batchesPerEpoch)
  const whole = Math.floor(batches / batchesPerEpoch)
  return whole * Math.ceil(batchesPerEpoch / accumulation) + Math.ceil((batches % batchesPerEpoch) / accumulation)
}

function batchesIn(epochs: number, batchesPerEpoch: number): number {
  const rounding = 1e-9 // 0.1 × 30 is a little more than 3
  return Math.max(1, Math.ceil(epochs * batchesPerEpoch - rounding))
}
