// The options of DropBP, their defaults and limits.
import { UsageError } from '../../errors.ts'
import { MAX_RATE } from './allocate-rates.ts'
import type { Allocation, Mode, Sampling, SensitivityKind } from './choices.ts'

/** DropBP's settings; `rate` alone is enough. */
export interface DropBpOptions {
  /** Share of the branches' FLOPs whose backward pass is left out, 0 to 0.9. The paper uses 0.5, 0.75 and 0.875. */
  rate: number
  /** `paper` changes the defaults to the official code's: `greedy` allocation, `bernoulli` sampling, scaling 0. Default `exact`. */
  mode?: Mode
  /** How `rate` is shared out: the same for all, or by sensitivity (see allocate-rates.ts; `greedy` is the official walk). Default `knapsack`. */
  allocation?: Allocation
  /** `exact` meets the FLOP budget in every micro-batch, `bernoulli` is the official rule, which drops more. Default `exact`. */
  sampling?: Sampling
  /** γ, 0 to 1: the gradient of a kept branch is multiplied by (its probability to be kept)^−γ. 1 is unbiased, 0 the paper. Default 0.5. */
  scaling?: number
  /** Compare gradients by their norms, or in full, which holds one more set of gradients. Default `gradient-norm`. */
  sensitivity?: SensitivityKind
  /** The share of the run after which sensitivities are measured; rates are uniform before. Default 0.1. */
  sensitivityAt?: number
  /** Measures them again every so many steps. Default never. */
  refreshEvery?: number
  /** Sequence length that branch costs are compared at. Default 512. */
  sequenceLength?: number
  /** Seeds the masks. Default the run's seed. */
  seed?: number
}

/** The options with every default filled in. */
export type Settings = Required<Omit<DropBpOptions, 'mode' | 'refreshEvery' | 'seed'>> &
  Pick<DropBpOptions, 'refreshEvery' | 'seed'>

/** Fills in the defaults; UsageError for a value out of range. */
export function checkedSettings(options: DropBpOptions): Settings {
  const { mode = 'exact', ...given } = options
  const defaults = { sensitivity: 'gradient-norm', sensitivityAt: 0.1, sequenceLength: 512 } as const
  const settings: Settings =
    mode === 'paper'
      ? { ...defaults, allocation: 'greedy', sampling: 'bernoulli', scaling: 0, ...given }
      : { ...defaults, allocation: 'knapsack', sampling: 'exact', scaling: 0.5, ...given }
  const within = (name: 'rate' | 'scaling' | 'sensitivityAt', highest: number): void => {
    const value = settings[name]
    if (!(value >= 0 && value <= highest))
      throw new UsageError(`dropbp.${name}: expected a number from 0 to ${highest}, got ${value}. Choose another`)
  }
  const atLeastOne = (name: 'refreshEvery' | 'sequenceLength'): void => {
    const value = settings[name]
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new UsageError(`dropbp.${name}: expected a whole number from 1, got ${value}. Choose another`)
  }
  // Departs: the official code has no limit and fails, or runs past its queue, above 0.9.
  within('rate', MAX_RATE)
  within('scaling', 1)
  within('sensitivityAt', 1)
  atLeastOne('refreshEvery')
  atLeastOne('sequenceLength')
  return settings
}
