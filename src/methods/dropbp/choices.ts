// What can be chosen in DropBP, by name. Data only.

/** `paper` changes the defaults to the official code's: `greedy` allocation, `bernoulli` sampling, scaling 0. */
export const MODES = ['exact', 'paper'] as const

/** Whose defaults are taken. */
export type Mode = (typeof MODES)[number]

/** How the rate is shared out: the same for all, or by sensitivity (see allocate-rates.ts; `greedy` is the official walk). */
export const ALLOCATIONS = ['uniform', 'water-filling', 'knapsack', 'greedy'] as const

/** The name of a way to share out the rate. */
export type Allocation = (typeof ALLOCATIONS)[number]

/** `exact` meets the FLOP budget in every micro-batch, `bernoulli` is the official rule, which drops more. */
export const SAMPLINGS = ['exact', 'bernoulli'] as const

/** The name of a way to draw branches. */
export type Sampling = (typeof SAMPLINGS)[number]

/** Gradients are compared by their norms, or in full, which holds one more set of gradients. */
export const SENSITIVITIES = ['gradient-norm', 'gradient'] as const

/** What the sensitivity of a branch is measured by. */
export type SensitivityKind = (typeof SENSITIVITIES)[number]
